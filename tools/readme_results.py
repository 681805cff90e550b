"""Write the README's table of results from the CSV files in docs/results, between its two markers.

python tools/readme_results.py
"""

import csv
from pathlib import Path

ROOT = Path(__file__).parents[1]
START, END = "<!-- results: written by tools/readme_results.py -->", "<!-- end of results -->"
PAGES = {"synthetic": "synthetic, validation", "cmu": "CMU test subjects"}
METRICS = ("mpjpe", "pa_mpjpe", "mpve")


def main() -> None:
    """Replace what stands between the markers."""
    lines = [
        "| task and data | part | MPJPE, mm | mean pose's | PA-MPJPE, mm | mean pose's | MPVE, mm | mean pose's |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for page, data in PAGES.items():
        with open(ROOT / "docs" / "results" / f"{page}.csv", newline="") as file:
            rows = list(csv.DictReader(file))
        values = {(row["run"], row["split"], row["group"], row["model"], row["metric"]): row["value"] for row in rows}
        tested = {run for run, split, *_ in values if split == "test"}
        for run, split, group in dict.fromkeys(key[:3] for key in values):
            if split == "val" and run in tested:
                continue  # the test split's figures stand for the run
            cells = []
            for metric in METRICS:
                for model in ("hummuss", "mean_pose"):
                    value = values.get((run, split, group, model, metric))
                    cells.append(f"{float(value):.1f}" if value else "-")
            task = run.split("-")[0]
            lines.append(f"| [{task}, {data}](docs/results/{page}.md) | {group} | " + " | ".join(cells) + " |")
    readme = ROOT / "README.md"
    before, _, rest = readme.read_text().partition(START)
    readme.write_text("\n".join([before + START, "", *lines, "", END + rest.partition(END)[2]]))


if __name__ == "__main__":
    main()
