# Every target works on a fresh clone, where the environment is made when first needed; those on CMU after
# `make cmu CMU_RAW=FOLDER`, see data/README.md, and eval-long-cmu after eval-framerate-cmu as well.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
CMU_RAW ?= ../shared/data/cmu
TEST_JOBS ?= 2

.DEFAULT_GOAL := help
.PHONY: help install train test lint docs tables figures cmu train-cmu study-backbone study-tasks study-multitask study-pretrain eval-action eval-framerate eval-framerate-cmu eval-robustness eval-robustness-cmu eval-long eval-long-hour eval-long-cmu eval-ablation eval-ablation-cmu bench bench-gpu sweep-check

help:  ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  make %-24s %s\n", $$1, $$2}'

install: $(BIN)/hummuss  ## make the environment

# torch first and pinned: on its own it is the build for this machine, as a dependency it may be a larger one.
$(BIN)/hummuss: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet "$$(grep '^torch==' constraints.txt)"
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[dev]'
	@touch $@

train: install  ## train mesh recovery on synthetic motion, print metrics, draw bodies (minutes)
	$(BIN)/hummuss fit --config configs/mesh.yaml

# Single tests use one core. A file's tests share what is costly to make, so they stay in one process.
test: install  ## run the whole test suite, in TEST_JOBS processes
	$(BIN)/pytest -q --numprocesses=$(TEST_JOBS) --dist=loadfile

lint: install  ## style and type checks
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# Its own stamp: only whoever builds the site needs its tools. Not --quiet, which hides warnings from the strict count.
$(BIN)/mkdocs: $(BIN)/hummuss
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[docs]'
	@touch $@

docs: $(BIN)/mkdocs  ## build the documentation site into site/; broken links and references are errors
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

tables: install  ## write the README's table and docs/measured.md out of docs/results
	$(BIN)/python tools/result_tables.py

figures: install  ## draw the figures of docs/mathematics.md
	$(BIN)/python tools/figures.py

cmu: install  ## prepare CMU motion capture from CMU_RAW into data/cmu
	$(BIN)/hummuss prepare cmu $(CMU_RAW) data/cmu

train-cmu: install  ## train pose and mesh on data/cmu and score its test subjects
	for task in pose mesh; do \
	  $(BIN)/hummuss fit --config configs/$$task.yaml --config configs/data/cmu.yaml && \
	  $(BIN)/hummuss test --config configs/$$task.yaml --config configs/data/cmu.yaml --ckpt_path best || exit 1; \
	done

study-backbone: install  ## compare design choices and attention on data/cmu, three seeds (hours)
	$(BIN)/hummuss study configs/studies/backbone.yaml --out docs/results/backbone_study --jobs 2

# One study, so that what all three compare is trained once.
STUDY_TASKS = $(BIN)/hummuss study configs/studies/tasks.yaml --out docs/results/tasks_study --jobs 2 --variants
study-tasks: install  ## HumMUSS and attention at three tasks on data/cmu, three seeds (hours)
	$(STUDY_TASKS) pose mesh action dstformer-pose dstformer-mesh dstformer-action

study-multitask: install  ## three tasks on one backbone against each alone on data/cmu, three seeds (hours)
	$(STUDY_TASKS) pose mesh action multi

study-pretrain: install  ## mesh recovery from scratch and after pretraining on data/cmu, three seeds (hours)
	$(STUDY_TASKS) mesh pretrain pretrained

eval-action: install  ## recognise CMU's actions, three seeds, beside a regression (hours, minutes after make study-tasks)
	$(STUDY_TASKS) action dstformer-action
	$(BIN)/hummuss eval action --config configs/action.yaml --config configs/data/cmu.yaml \
	  --ckpt runs/tasks/action-[0-9] runs/tasks/dstformer-action-[0-9]

eval-framerate: install  ## train small models on synthetic motion and show them every frame rate (minutes)
	$(BIN)/hummuss study configs/studies/framerate_synthetic.yaml --out runs/framerate_synthetic/study --jobs 2
	$(BIN)/hummuss eval framerate --config configs/pose.yaml --frames 41 --windows 100 \
	  --ckpt runs/framerate_synthetic/*-[0-9] --out docs/results/framerate_synthetic

# The data and the view of them that the CMU runs of these three were trained with.
SEEN_CMU = --config configs/pose.yaml --config configs/data/cmu.yaml --config configs/view/frame.yaml

eval-framerate-cmu: install  ## the same on data/cmu, three seeds (hours)
	$(BIN)/hummuss study configs/studies/framerate.yaml --out runs/framerate/study --jobs 2
	$(BIN)/hummuss eval framerate $(SEEN_CMU) \
	  --ckpt runs/framerate/*-[0-9] --out docs/results/framerate --windows 100

eval-robustness: install  ## train small models on synthetic motion and corrupt their keypoints (minutes)
	$(BIN)/hummuss study configs/studies/robustness_synthetic.yaml --out runs/robustness_synthetic/study --jobs 2
	$(BIN)/hummuss eval robustness --config configs/pose.yaml --ckpt runs/robustness_synthetic/*-[0-9] \
	  --out docs/results/robustness_synthetic

eval-robustness-cmu: install  ## the same on data/cmu, three seeds, with runs of make eval-framerate-cmu (hours)
	$(BIN)/hummuss study configs/studies/framerate.yaml --variants hummuss dstformer --out runs/framerate/study --jobs 2
	$(BIN)/hummuss study configs/studies/robustness.yaml --out runs/robustness/study --jobs 2
	$(BIN)/hummuss eval robustness $(SEEN_CMU) --windows 60 \
	  --ckpt runs/framerate/hummuss-[0-9] runs/framerate/dstformer-[0-9] runs/robustness/*-[0-9]

eval-long: eval-framerate  ## predict long synthetic sequences in windows, in one piece and streamed (half an hour)
	$(BIN)/hummuss eval long --config configs/pose.yaml --out docs/results/long_synthetic \
	  --ckpt $(foreach name,hummuss causal dstformer,runs/framerate_synthetic/$(name)-[0-9])

eval-long-hour: eval-framerate  ## 216,000 frames, more than an hour, by the causal one, streamed too (an hour)
	$(BIN)/hummuss eval long --config configs/pose.yaml --lengths 216000 --streamed 216000 --clips 1 --windows 40 \
	  --ckpt runs/framerate_synthetic/causal-0 --out docs/results/long_hour_synthetic

eval-long-cmu: install  ## the same on data/cmu, with the runs that make eval-framerate-cmu leaves (an hour)
	$(BIN)/hummuss eval long $(SEEN_CMU) \
	  --ckpt $(foreach name,hummuss causal dstformer,runs/framerate/$(name)-[0-9])

eval-ablation: install  ## change one choice of the design at a time, on synthetic motion (about an hour)
	$(BIN)/hummuss eval ablation --study configs/studies/ablation_synthetic.yaml --out docs/results/ablation_synthetic --jobs 2

eval-ablation-cmu: install  ## the same on data/cmu, three seeds (hours)
	$(BIN)/hummuss eval ablation --jobs 2

bench: install  ## measure speed and memory beside attention (more than an hour on one CPU core)
	$(BIN)/hummuss bench sizes
	$(BIN)/hummuss bench speed
	$(BIN)/hummuss bench profile --frames 243 729

ON_GPU = --device cuda --precision bf16
bench-gpu: install  ## the same on a GPU in bf16; other devices' rows stay on the page (minutes)
	$(BIN)/hummuss bench speed $(ON_GPU)
	$(BIN)/hummuss bench profile $(ON_GPU) --frames 243 729 --out docs/results/profile_gpu

sweep-check: install  ## run a sweep by wandb sweep and wandb agent, without an account (a minute or two)
	$(BIN)/pytest -q -m agent tests/test_sweep_agent.py
