"""Annotations of objects at any size, and folders, as the tools that write them do: what `readers_at_size.py` reads.

Each function writes into an empty folder and gives what is to be read; the images are those of `label_files.py`.
"""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path
from typing import Any

from label_files import HEIGHT, WIDTH, blocks, names, photos

JPEG = b"\xff\xd8\xff\xe0" + bytes(600) + b"\xff\xd9"  # as small as a photograph of one pixel; no reader opens it


def coco(folder: Path, images: int, classes: int) -> Path:
    """In the order of COCO's own files: images, annotations, categories."""
    path, number = folder / "instances_train.json", 0
    with path.open("w") as stream:
        stream.write('{"info": {"year": 2017}, "licenses": [], "images": [')
        for k, p in enumerate(photos(images, classes)):
            image = {
                "license": 3, "file_name": f"{p.number:012}.jpg",
                "coco_url": f"http://images.cocodataset.org/train2017/{p.number:012}.jpg", "height": HEIGHT,
                "width": WIDTH, "date_captured": "2013-11-14 11:18:45", "id": p.number,
            }  # fmt: skip
            stream.write(("," if k else "") + json.dumps(image))
        stream.write('], "annotations": [')
        for p in photos(images, classes):
            for c, x, y, w, h in p.objects:
                number += 1
                outline = [[float(v) for v in (x, y, x + w, y, x + w, y + h, x, y + h)]]
                entry = {
                    "segmentation": outline, "area": float(w * h), "iscrowd": 0, "image_id": p.number,
                    "bbox": [float(x), float(y), float(w), float(h)], "category_id": c + 1, "id": number,
                }  # fmt: skip
                stream.write(("," if number > 1 else "") + json.dumps(entry))
        every = [{"supercategory": f"group {c % 12}", "id": c + 1, "name": name}
                 for c, name in enumerate(names(classes))]  # fmt: skip
        stream.write(f'], "categories": {json.dumps(every)}}}')
    return path


def openimages(folder: Path, images: int, classes: int) -> Path:
    """Verified labels (one in four there is not), a machine's labels, boxes, and the list of the images."""
    codes = [f"/m/0{c:05}" for c in range(classes)]
    described = "".join(f"{code},{name}\n" for code, name in zip(codes, names(classes), strict=True))
    (folder / "class-descriptions.csv").write_text(described)
    headers = {
        "train-annotations-human-imagelabels": "ImageID,Source,LabelName,Confidence",
        "train-annotations-machine-imagelabels": "ImageID,Source,LabelName,Confidence",
        "train-annotations-bbox": "ImageID,Source,LabelName,Confidence,XMin,XMax,YMin,YMax,IsOccluded,IsTruncated,"
        "IsGroupOf,IsDepiction,IsInside",
        "train-images-with-rotation": "ImageID,Subset,OriginalURL,OriginalLandingURL,License,AuthorProfileURL,Author,"
        "Title,OriginalSize,OriginalMD5,Thumbnail300KURL,Rotation",
    }
    streams = [(folder / f"{name}.csv").open("w") for name in headers]
    for stream, header in zip(streams, headers.values(), strict=True):
        stream.write(header + "\n")
    human, machine, boxes, lists = streams
    for p in photos(images, classes):
        own, other = f"{p.number:016x}", p.number * 7 % classes
        human.write("".join(f"{own},verification,{codes[c]},1\n" for c in p.labels))
        if other not in p.labels:
            human.write(f"{own},verification,{codes[other]},0\n")
        machine.write("".join(f"{own},machine,{codes[(c + k) % classes]},0.{k + 5}\n" for k, c in enumerate(p.labels)))
        for c, x, y, w, h in p.objects:
            sides = f"{x / WIDTH:.6f},{(x + w) / WIDTH:.6f},{y / HEIGHT:.6f},{(y + h) / HEIGHT:.6f}"
            boxes.write(f"{own},xclick,{codes[c]},1,{sides},{p.number % 2},0,0,0,0\n")
        at = f"https://farm4.staticflickr.com/3045/{p.number:010}_1ff2b3.jpg"
        lists.write(
            f"{own},train,{at},https://www.flickr.com/photos/someone/{p.number:010},"
            "https://creativecommons.org/licenses/by/2.0/,https://www.flickr.com/people/someone/,Some One,"
            f'"A title, with a comma",{p.number % 9999},i9sKxJBhdB37mzp7GsbY4g==,{at},0.0\n'
        )
    for stream in streams:
        stream.close()
    return folder


def cvat(folder: Path, images: int, classes: int) -> Path:
    path = folder / "annotations.xml"
    labels = "".join(f"<label><name>{name}</name><color>#fa3253</color></label>" for name in names(classes))
    with path.open("w") as stream:
        stream.write('<?xml version="1.0" encoding="utf-8"?>\n<annotations>\n  <version>1.1</version>\n')
        stream.write(f"  <meta><task><labels>{labels}</labels></task></meta>\n")
        for p in photos(images, classes):
            part = "Train" if p.part == "train" else "Validation"
            stream.write(f'  <image id="{p.number}" name="{p.number:012}.jpg" subset="{part}" task_id="1"'
                         f' width="{WIDTH}" height="{HEIGHT}">\n')  # fmt: skip
            for c, x, y, w, h in p.objects:
                stream.write(f'    <box label="class {c}" source="manual" occluded="0" xtl="{x:.2f}" ytl="{y:.2f}"'
                             f' xbr="{x + w:.2f}" ybr="{y + h:.2f}" z_order="0">\n    </box>\n')  # fmt: skip
            stream.write("  </image>\n")
        stream.write("</annotations>\n")
    return path


def label_studio(folder: Path, images: int, classes: int) -> Path:
    """Rectangles of the objects and a choice of all labels, one person's, as a project exports them."""
    path, when = folder / "project.json", "2024-03-05T09:41:12.342901Z"
    with path.open("w") as stream:
        for k, p in enumerate(photos(images, classes), 1):
            of_all = {"original_width": WIDTH, "original_height": HEIGHT, "image_rotation": 0}
            results: list[dict[str, Any]] = [
                {**of_all, "value": {"x": 100 * x / WIDTH, "y": 100 * y / HEIGHT, "width": 100 * w / WIDTH,
                                     "height": 100 * h / HEIGHT, "rotation": 0, "rectanglelabels": [f"class {c}"]},
                 "id": f"r{k}_{j}", "from_name": "label", "to_name": "image", "type": "rectanglelabels",
                 "origin": "manual"}
                for j, (c, x, y, w, h) in enumerate(p.objects)
            ]  # fmt: skip
            chosen = {"choices": [f"class {c}" for c in p.labels]}
            results.append({"value": chosen, "id": f"c{k}", "from_name": "scene", "to_name": "image",
                            "type": "choices", "origin": "manual"})  # fmt: skip
            annotation = {
                "id": k, "completed_by": 1 + k % 5, "result": results, "was_cancelled": False, "ground_truth": False,
                "created_at": when, "updated_at": when, "draft_created_at": when, "lead_time": 17.3, "prediction": {},
                "result_count": len(results), "unique_id": f"5f1e9a42-{k:012}", "last_action": None, "task": k,
                "project": 3, "updated_by": 1, "parent_prediction": None, "parent_annotation": None,
            }  # fmt: skip
            task = {
                "id": k, "annotations": [annotation], "file_upload": f"ab12cd34-{p.number:012}.jpg", "drafts": [],
                "predictions": [], "data": {"image": f"/data/upload/3/ab12cd34-{p.number:012}.jpg"}, "meta": {},
                "created_at": when, "updated_at": when, "inner_id": k, "total_annotations": 1,
                "cancelled_annotations": 0, "total_predictions": 0, "comment_count": 0, "project": 3, "updated_by": 1,
            }  # fmt: skip
            stream.write(("[" if k == 1 else ",") + json.dumps(task))
        stream.write("]")
    return path


def fiftyone(folder: Path, images: int, classes: int) -> Path:
    about = {"name": "set", "media_type": "image", "classes": {"ground_truth": names(classes)}}
    (folder / "metadata.json").write_text(json.dumps(about))
    with (folder / "samples.json").open("w") as stream:
        stream.write('{"samples": [')
        for k, p in enumerate(photos(images, classes)):
            found = [
                {"_id": {"$oid": f"{p.number:016x}{j:08x}"}, "_cls": "Detection", "attributes": {}, "tags": [],
                 "label": f"class {c}", "bounding_box": [x / WIDTH, y / HEIGHT, w / WIDTH, h / HEIGHT], "mask": None,
                 "confidence": None, "index": None}
                for j, (c, x, y, w, h) in enumerate(p.objects)
            ]  # fmt: skip
            size = {"_cls": "ImageMetadata", "size_bytes": None, "mime_type": "image/jpeg", "width": WIDTH,
                    "height": HEIGHT, "num_channels": 3}  # fmt: skip
            sample = {
                "filepath": f"data/{p.number:012}.jpg",
                "tags": [p.part],
                "metadata": size,
                "_media_type": "image",
                "_rand": 0.5,
                "ground_truth": {"_cls": "Detections", "detections": found},
            }
            stream.write(("," if k else "") + json.dumps(sample))
        stream.write("]}")
    return folder


def webdataset(folder: Path, images: int, classes: int) -> Path:
    """Archives of 10,000 samples: a photograph and a JSON each."""
    for k, block in enumerate(blocks(images, classes)):
        with tarfile.open(folder / f"train-{k:06}.tar", "w") as tar:
            for p in block:
                labels = json.dumps({"labels": [f"class {c}" for c in p.labels]}).encode()
                for ending, data in (("jpg", JPEG), ("json", labels)):
                    member = tarfile.TarInfo(f"{p.number:09}.{ending}")
                    member.size = len(data)
                    tar.addfile(member, io.BytesIO(data))
    return folder


def voc(folder: Path, images: int, classes: int) -> Path:
    for name in ("Annotations", "JPEGImages", "ImageSets/Main"):
        (folder / name).mkdir(parents=True)
    lists: dict[str, list[str]] = {"train": [], "val": []}
    for p in photos(images, classes):
        stem = f"{p.number:06}"
        lists[p.part].append(stem + "\n")
        objects = "".join(
            f"\t<object>\n\t\t<name>class {c}</name>\n\t\t<pose>Left</pose>\n\t\t<truncated>0</truncated>\n"
            f"\t\t<difficult>0</difficult>\n\t\t<bndbox>\n\t\t\t<xmin>{x + 1}</xmin>\n\t\t\t<ymin>{y + 1}</ymin>\n"
            f"\t\t\t<xmax>{x + w}</xmax>\n\t\t\t<ymax>{y + h}</ymax>\n\t\t</bndbox>\n\t</object>\n"
            for c, x, y, w, h in p.objects
        )
        (folder / "Annotations" / f"{stem}.xml").write_text(
            f"<annotation>\n\t<folder>VOC2012</folder>\n\t<filename>{stem}.jpg</filename>\n\t<source>\n"
            "\t\t<database>The VOC2007 Database</database>\n\t</source>\n"
            f"\t<size>\n\t\t<width>{WIDTH}</width>\n\t\t<height>{HEIGHT}</height>\n\t\t<depth>3</depth>\n\t</size>\n"
            f"\t<segmented>0</segmented>\n{objects}</annotation>\n"
        )
        (folder / "JPEGImages" / f"{stem}.jpg").touch()
    for part, stems in lists.items():
        (folder / "ImageSets" / "Main" / f"{part}.txt").write_text("".join(stems))
    return folder


def yolo(folder: Path, images: int, classes: int) -> Path:
    for part in ("train", "val"):
        for kind in ("images", "labels"):
            (folder / kind / part).mkdir(parents=True)
    for p in photos(images, classes):
        (folder / "images" / p.part / f"{p.number:06}.jpg").touch()
        text = "".join(
            f"{c} {(x + w / 2) / WIDTH:.6f} {(y + h / 2) / HEIGHT:.6f} {w / WIDTH:.6f} {h / HEIGHT:.6f}\n"
            for c, x, y, w, h in p.objects
        )
        (folder / "labels" / p.part / f"{p.number:06}.txt").write_text(text)
    listed = "".join(f"  {c}: {name}\n" for c, name in enumerate(names(classes)))
    (folder / "data.yaml").write_text(f"path: .\ntrain: images/train\nval: images/val\nnames:\n{listed}")
    return folder


def classed(folder: Path, images: int, classes: int) -> Path:
    """A folder for each class, which has room for one label an image."""
    for name in names(classes):
        (folder / name).mkdir()
    for p in photos(images, classes):
        (folder / f"class {p.labels[0]}" / f"{p.number:06}.jpg").touch()
    return folder
