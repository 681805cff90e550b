"""Acclaim motion capture: the skeleton (ASF) and the motion (AMC) that belongs to it.

Bone b turns by C_b M_b C_b^-1 relative to its parent: C_b from its ``axis`` line, M_b from the frame's
angles, both composed as Rz Ry Rx (http://graphics.cs.cmu.edu/nsp/course/cs229/info/ASF-AMC.html).
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64
from scipy.spatial.transform import Rotation

from hummuss.data.readers.kinematics import CapturedMotion, KinematicTree, parse_numbers
from hummuss.errors import InputError

ROOT = "root"
ROTATIONS = ("rx", "ry", "rz")
ROOT_DOFS = ("TX", "TY", "TZ", "RX", "RY", "RZ")


@dataclass(frozen=True)
class AsfSkeleton:
    """An Acclaim skeleton: joint b of the tree is the END of bone b, the root comes first.

    Attributes:
        tree: bones as joints, in file units.
        axes: (J, 3, 3) each bone's local frame C_b.
        dofs: for each bone, the rotation angles that an AMC frame gives, in order.
    """

    tree: KinematicTree
    axes: Float64[np.ndarray, "J 3 3"]
    dofs: tuple[tuple[str, ...], ...]


@dataclass
class _Bone:
    line: int
    offset: np.ndarray
    axis: np.ndarray
    dofs: tuple[str, ...]


def _content(text: str) -> list[tuple[int, list[str]]]:
    """Line numbers and words of the lines that are neither empty nor comments."""
    numbered = enumerate(text.splitlines(), start=1)
    return [(number, words) for number, line in numbered if (words := line.split()) and words[0][0] != "#"]


def parse_asf(text: str, source: str) -> AsfSkeleton:
    """Read an ASF file.

    Args:
        text: the file's content.
        source: its name, for error messages.

    Raises:
        InputError: not an ASF file, cut short, or a part of it cannot be understood; names file and line.
    """
    sections: dict[str, list[tuple[int, list[str]]]] = {}
    current: list[tuple[int, list[str]]] = []
    for number, words in _content(text):
        if words[0].startswith(":"):
            current = sections.setdefault(words[0].lower(), [])
        else:
            current.append((number, words))
    for name in (":root", ":bonedata", ":hierarchy"):
        if name not in sections:
            raise InputError(f"{source}: no {name} section, so it is not a complete ASF skeleton: restore the file")
    for number, words in sections.get(":units", []):
        if words[0] == "angle" and words[1:] != ["deg"]:
            raise InputError(f"{source}, line {number}: expected 'angle deg', found {' '.join(words)!r}")
    _check_root(sections[":root"], source)
    bones = _parse_bones(sections[":bonedata"], source)
    return _assemble(bones, _parse_hierarchy(sections[":hierarchy"], bones, source), source)


def _check_root(lines: list[tuple[int, list[str]]], source: str) -> None:
    """Only a root at the origin, unrotated, with the usual order of channels is understood."""
    for number, words in lines:
        if words[0] == "order" and tuple(word.upper() for word in words[1:]) != ROOT_DOFS:
            raise InputError(
                f"{source}, line {number}: expected the root order {' '.join(ROOT_DOFS)}, found {words[1:]}"
            )
        if words[0] in ("position", "orientation"):
            expected = f"root {words[0]} 0 0 0"
            if any(parse_numbers(words[1:], f"{source}, line {number}", expected)):
                raise InputError(f"{source}, line {number}: expected {expected}, found {' '.join(words[1:])}")


def _parse_bones(lines: list[tuple[int, list[str]]], source: str) -> dict[str, _Bone]:
    bones: dict[str, _Bone] = {}
    fields: dict[str, list[str]] | None = None
    start = 0
    for number, words in lines:
        if words[0] == "begin":
            fields, start = {}, number
        elif words[0] == "end":
            if fields is None:
                raise InputError(f"{source}, line {number}: 'end' without 'begin' in :bonedata")
            name, bone = _make_bone(fields, f"{source}, line {start}", start)
            if name in bones or name == ROOT:
                raise InputError(f"{source}, line {start}: a second bone named {name!r}")
            bones[name], fields = bone, None
        elif fields is not None:
            fields.setdefault(words[0], words[1:])
    if fields is not None:
        raise InputError(f"{source}, line {start}: this bone has no 'end': the file is cut short")
    if not bones:
        raise InputError(f"{source}: :bonedata holds no bones")
    return bones


def _make_bone(fields: dict[str, list[str]], place: str, line: int) -> tuple[str, _Bone]:
    for key, count in (("name", 1), ("direction", 3), ("length", 1), ("axis", 4)):
        if len(fields.get(key, [])) != count:
            found = " ".join(fields[key]) if key in fields else "none"
            raise InputError(f"{place}: expected a bone with {count} value(s) of {key!r}, found {found!r}")
    if fields["axis"][3].upper() != "XYZ":
        raise InputError(f"{place}: expected an axis in order XYZ, found {fields['axis'][3]!r}")
    dofs = tuple(word.lower() for word in fields.get("dof", []))
    if any(dof not in ROTATIONS for dof in dofs) or list(dofs) != sorted(set(dofs)):
        raise InputError(f"{place}: expected dof out of rx ry rz in that order, found {' '.join(dofs)!r}")
    direction = np.array(parse_numbers(fields["direction"], place, "3 numbers of 'direction'"))
    length = parse_numbers(fields["length"], place, "a number of 'length'")[0]
    angles = parse_numbers(fields["axis"][:3], place, "3 angles of 'axis'")
    axis = Rotation.from_euler("xyz", angles, degrees=True).as_matrix()
    return fields["name"][0], _Bone(line, direction * length, axis, dofs)


def _parse_hierarchy(lines: list[tuple[int, list[str]]], bones: dict[str, _Bone], source: str) -> dict[str, str]:
    """Parent of every bone, parents before children."""
    parents: dict[str, str] = {}
    for number, words in lines:
        if words[0] in ("begin", "end"):
            continue
        if words[0] != ROOT and words[0] not in parents:
            raise InputError(f"{source}, line {number}: {words[0]!r} has children before it has a parent")
        for child in words[1:]:
            if child not in bones:
                raise InputError(f"{source}, line {number}: {child!r} is not a bone of :bonedata")
            if child in parents:
                raise InputError(f"{source}, line {number}: {child!r} has two parents")
            parents[child] = words[0]
    loose = [name for name in bones if name not in parents]
    if loose:
        raise InputError(f"{source}: bone {loose[0]!r} is missing from :hierarchy: the file is cut short")
    return parents


def _assemble(bones: dict[str, _Bone], parents: dict[str, str], source: str) -> AsfSkeleton:
    names = (ROOT, *parents)
    index = {name: i for i, name in enumerate(names)}
    tree = KinematicTree(
        joints=names,
        parents=(-1, *(index[parent] for parent in parents.values())),
        offsets=np.stack([np.zeros(3), *(bones[name].offset for name in parents)]),
        carriers=(-1, *range(1, len(names))),
    )
    axes = np.stack([np.eye(3), *(bones[name].axis for name in parents)])
    return AsfSkeleton(tree, axes, (ROOT_DOFS, *(bones[name].dofs for name in parents)))


def parse_amc(text: str, skeleton: AsfSkeleton, source: str) -> CapturedMotion:
    """Read an AMC file of a skeleton.

    Args:
        text: the file's content.
        skeleton: from the ASF file of the same subject.
        source: the file's name, for error messages.

    Returns:
        The motion in file units.

    Raises:
        InputError: not an AMC file, cut short, a frame without all bones and values, frame numbers that are
            not consecutive, or a bone the skeleton doesn't have; names file and line.
    """
    names = skeleton.tree.joints
    widths = {name: len(dofs) for name, dofs in zip(names, skeleton.dofs, strict=True) if dofs}
    frames: list[dict[str, list[float]]] = []
    first = 0
    for number, words in _content(text):
        if words[0].startswith(":"):
            if words[0].upper() == ":RADIANS":
                raise InputError(f"{source}, line {number}: expected angles in :DEGREES, found :RADIANS")
            continue
        place = f"{source}, line {number}"
        if len(words) == 1 and words[0].isdecimal():
            _check_complete(frames, widths, place)
            first = first if frames else int(words[0])
            if int(words[0]) != first + len(frames):
                raise InputError(f"{place}: expected frame {first + len(frames)}, found frame {words[0]}")
            frames.append({})
            continue
        if not frames:
            raise InputError(f"{place}: expected a frame number, found {words[0][:60]!r}: is this an AMC file?")
        name, values = words[0], words[1:]
        if len(values) != widths.get(name, -1) or name in frames[-1]:
            raise InputError(f"{place}: {_complaint(name, values, widths, frames[-1])}")
        frames[-1][name] = parse_numbers(values, place, f"{widths[name]} value(s) of {name!r}")
    if not frames:
        raise InputError(f"{source}: no frames: the file is empty or not an AMC file")
    _check_complete(frames, widths, f"{source}, at its end")
    return _compose(skeleton, frames)


def _complaint(name: str, values: list[str], widths: dict[str, int], frame: dict[str, list[float]]) -> str:
    if name not in widths:
        return f"{name[:60]!r} is not a moving bone of the skeleton: is this its ASF?"
    if name in frame:
        return f"bone {name!r} comes twice in one frame"
    return f"expected {widths[name]} value(s) of {name!r}, found {len(values)}"


def _check_complete(frames: list[dict[str, list[float]]], widths: dict[str, int], place: str) -> None:
    if frames and len(frames[-1]) < len(widths):
        missing = next(name for name in widths if name not in frames[-1])
        raise InputError(
            f"{place}: frame {len(frames)} of the file has {len(frames[-1])} of {len(widths)} bones, "
            f"{missing!r} is missing: the file is cut short or of another skeleton"
        )


def _compose(skeleton: AsfSkeleton, frames: list[dict[str, list[float]]]) -> CapturedMotion:
    rotations = np.empty((len(frames), len(skeleton.dofs), 3, 3))
    root = np.array([frame[ROOT] for frame in frames])
    for bone, (name, dofs, axis) in enumerate(zip(skeleton.tree.joints, skeleton.dofs, skeleton.axes, strict=True)):
        if not dofs:
            rotations[:, bone] = np.eye(3)
            continue
        angles = root[:, 3:] if name == ROOT else np.array([frame[name] for frame in frames])
        order = "xyz" if name == ROOT else "".join(dof[1] for dof in dofs)
        rotations[:, bone] = axis @ Rotation.from_euler(order, angles, degrees=True).as_matrix() @ axis.T
    return CapturedMotion(skeleton.tree, rotations, root[:, :3])
