"""What a training shows of itself: numbers, histograms, pictures, curves. The task configs name them."""

from hummuss.callbacks.curves import TrainingCurves
from hummuss.callbacks.pictures import PredictionPictures
from hummuss.callbacks.state_space import StateSpaceMonitor
from hummuss.callbacks.throughput import Throughput

__all__ = ["PredictionPictures", "StateSpaceMonitor", "Throughput", "TrainingCurves"]
