"""Task heads."""

from hummuss.heads.action import ActionHead
from hummuss.heads.base import Head
from hummuss.heads.embedding import EmbeddingHead
from hummuss.heads.mesh import MeshHead
from hummuss.heads.pose import PoseHead
from hummuss.heads.pretrain import PretrainHead

__all__ = ["ActionHead", "EmbeddingHead", "Head", "MeshHead", "PoseHead", "PretrainHead"]
