#!/usr/bin/env bash
# sbatch [--nodes=2 --time=... any option of sbatch] configs/cluster/submit.sh --config configs/pose.yaml [...]
# From the repository's folder. Five minutes before its time is up, or when it is preempted, the run saves itself;
# then the job queues up again and goes on where it was.
#SBATCH --job-name=hummuss
#SBATCH --nodes=1
#SBATCH --ntasks-per-node=4
#SBATCH --gpus-per-node=4
#SBATCH --cpus-per-task=8
#SBATCH --time=04:00:00
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --signal=TERM@300
#SBATCH --output=slurm-%j.txt
set -euo pipefail

# The job's number names the run: other jobs of the same config must not be taken for its past.
name="slurm/$SLURM_JOB_ID"
resume=()
if compgen -G "runs/$name/*/last.ckpt" > /dev/null || compgen -G "runs/$name/*/previous.ckpt" > /dev/null; then
  resume=(--ckpt_path last)
fi
status=0
srun "${HUMMUSS:-hummuss}" fit "$@" --config configs/cluster/slurm.yaml --name "$name" \
  --trainer.num_nodes "$SLURM_NNODES" --trainer.devices "$SLURM_NTASKS_PER_NODE" "${resume[@]}" || status=$?
# 143 is 128 + SIGTERM.
if [ "$status" -eq 143 ]; then
  scontrol requeue "$SLURM_JOB_ID"
fi
exit "$status"
