"""Slow references, written from the definitions: loops, and nothing of the product."""

import numpy as np


def connected_regions(mask: np.ndarray) -> list[list[tuple[int, int]]]:
    """The pixels of each 8-connected region of a mask (H, W)."""
    left = {(int(y), int(x)) for y, x in np.argwhere(mask)}
    regions = []
    while left:
        region, frontier = [], [left.pop()]
        while frontier:
            y, x = frontier.pop()
            region.append((y, x))
            for place in [(y + dy, x + dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1)]:
                if place in left:
                    left.remove(place)
                    frontier.append(place)
        regions.append(region)
    return regions


def slow_pro(masks: np.ndarray, score_maps: np.ndarray, max_fpr: float = 0.3) -> float:
    """Per-region overlap over (N, H, W): every score is a threshold, every region of the set weighs the same."""
    regions = [
        np.array([score_map[place] for place in region])
        for mask, score_map in zip(masks, score_maps, strict=True)
        for region in connected_regions(mask)
    ]
    normal = score_maps[masks == 0]
    points = [(0.0, 0.0)]  # a threshold above every score finds nothing
    for threshold in np.unique(score_maps)[::-1]:
        overlap = np.mean([np.count_nonzero(region >= threshold) / len(region) for region in regions])
        points.append((np.count_nonzero(normal >= threshold) / len(normal), overlap))

    area = 0.0
    for (left, low), (right, high) in zip(points, points[1:], strict=False):
        if right > max_fpr:
            high = low + (high - low) * (max_fpr - left) / (right - left)
            right = max_fpr
        area += (right - left) * (low + high) / 2
        if right == max_fpr:
            return area / max_fpr
    raise AssertionError("the curve ends at a false positive rate of 1")


def slow_auroc(labels: np.ndarray, scores: np.ndarray) -> float:
    """The share of (anomalous, normal) pairs in the right order; a tie counts one half."""
    anomalous, normal = scores[labels == 1], scores[labels == 0]
    right = sum(1.0 if high > low else 0.5 if high == low else 0.0 for high in anomalous for low in normal)
    return right / (len(anomalous) * len(normal))


def slow_average_precision(labels: np.ndarray, scores: np.ndarray) -> float:
    """The sum of precision times gain in recall, from the highest threshold to the lowest."""
    total, recall = 0.0, 0.0
    for threshold in sorted(set(scores.tolist()), reverse=True):
        found = labels[scores >= threshold]
        new_recall = found.sum() / labels.sum()
        total += found.sum() / len(found) * (new_recall - recall)
        recall = new_recall
    return total


def resize_align_corners(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Bilinear resizing of (H, W) to `size`; the centres of the corner pixels stay where they are."""
    resized = np.empty(size)
    for row in range(size[0]):
        for column in range(size[1]):
            y = row * (image.shape[0] - 1) / (size[0] - 1) if size[0] > 1 else 0.0
            x = column * (image.shape[1] - 1) / (size[1] - 1) if size[1] > 1 else 0.0
            top, left = int(y), int(x)
            bottom, right = min(top + 1, image.shape[0] - 1), min(left + 1, image.shape[1] - 1)
            above = image[top, left] * (1 - (x - left)) + image[top, right] * (x - left)
            below = image[bottom, left] * (1 - (x - left)) + image[bottom, right] * (x - left)
            resized[row, column] = above * (1 - (y - top)) + below * (y - top)
    return resized
