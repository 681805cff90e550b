"""Units of the reported metrics, by their names in logs, summaries and tables."""

OTHER_UNITS = {
    "accel": "m/s²",
    "accel_frame": "mm/frame²",
    "auc": "%",
    "mean_class": "%",
    "mpjve": "mm/s",
    "pck": "%",
    "top1": "%",
    "top5": "%",
}

# The order in which tables show what they have; anything else comes after.
# Names of trivial baselines in logs and tables.
BASELINES = ("mean_pose", "majority_class", "constant_embedding")
ORDER = (
    "mpjpe", "pa_mpjpe", "n_mpjpe", "mpve", "pck", "auc", "mpjve", "accel", "accel_frame", "top1", "top5", "mean_class",
)  # fmt: skip


def place(metric: str) -> int:
    """Where a metric stands in tables: what is known in its order, the rest behind."""
    return ORDER.index(metric) if metric in ORDER else len(ORDER)


def unit(metric: str) -> str:
    """Unit of a metric; millimetres unless it is known to have another.

    >>> unit("accel")
    'm/s²'
    """
    return OTHER_UNITS.get(metric, "mm")
