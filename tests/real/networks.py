"""The networks of the table: what is exported, and the sizes at which the answers are checked afterwards."""

import re
from dataclasses import dataclass

IDS = "input_ids=int64[batch,seq:1..128]<2000"
MASK = "attention_mask=int64[batch,seq:1..128] prefix"
IMAGE = "pixel_values=float32[batch,3,64,64]"
ANY_IMAGE = "pixel_values=float32[batch,3,h:64..256*32,w:64..256*32]"


@dataclass(frozen=True, kw_only=True)
class Network:
    """A network and what its users give it.

    Attributes:
        name: the function of `nets.py` that makes it.
        inputs: its inputs as `--input` takes them, with the axes that users need dynamic by name.
        example: the size of each axis but batch in the plain script; in the fixed variant these axes have this size.
        other: sizes of all axes that no proof tries.
    """

    name: str
    inputs: tuple[str, ...]
    example: dict[str, int]
    other: dict[str, int]

    def parsed(self) -> list[tuple[str, str, tuple[int | str, ...], int]]:
        """Name, dtype, axes (a name or a size) and upper limit (0 if there is none, 2 for a mask) of each input."""
        found = []
        for text in self.inputs:
            name, dtype, axes, below = re.fullmatch(r"(\w+)=(\w+)\[(.*)\](?:<(\d+)| prefix)?", text).groups()  # type: ignore[union-attr]
            names = [axis.partition(":")[0] for axis in axes.split(",")]
            found.append((name, dtype, tuple(int(axis) if axis.isdigit() else axis for axis in names), int(below or 0)))
        return found

    def fixed_inputs(self) -> tuple[str, ...]:
        """The inputs with every axis but batch as a number."""
        return tuple(re.sub(r"\b([a-z_]+)(:[0-9.*]+)?(?=[,\]])", self._size, text) for text in self.inputs)

    def _size(self, axis: re.Match[str]) -> str:
        return axis[1] if axis[1] == "batch" else str(self.example[axis[1]])


def _words(name: str, *inputs: str, words: int = 2000) -> Network:
    texts = tuple(text.replace("<2000", f"<{words}") for text in inputs or (IDS, MASK))
    return Network(name=name, inputs=texts, example={"seq": 16}, other={"batch": 5, "seq": 23})


def _picture(name: str, image: str = IMAGE) -> Network:
    free = image is ANY_IMAGE
    return Network(
        name=name,
        inputs=(image,),
        example={"h": 64, "w": 64} if free else {},
        other={"batch": 5, **({"h": 224, "w": 96} if free else {})},
    )


def _plain(name: str, *inputs: str, example: dict[str, int] | None = None, **other: int) -> Network:
    return Network(name=name, inputs=inputs, example=example or {}, other={"batch": 5, **other})


NETWORKS = (
    _words("minilm", words=30522),
    _words("bert"),
    _words("bert_classifier"),
    _words("bert_masked_words"),
    _words("distilbert_base", words=30522),
    _words("roberta"),
    _words("albert"),
    _words("electra"),
    _words("mpnet"),
    _words("deberta"),
    _words("gpt2", IDS),
    _words("llama", IDS),
    _words("t5_encoder"),
    _words("bart_encoder"),
    _words("clip_text", IDS.replace("128", "77")),
    _picture("clip_vision"),
    _picture("vit"),
    _picture("deit"),
    _picture("dinov2"),
    _picture("swin"),
    _picture("convnext", ANY_IMAGE),
    _picture("resnet_50", ANY_IMAGE),
    _picture("mobilenet_v2", ANY_IMAGE),
    _picture("regnet", ANY_IMAGE),
    _picture("segformer", ANY_IMAGE),
    _plain("wav2vec2", "input_values=float32[batch,samples:800..32000]", example={"samples": 3200}, samples=4801),
    _plain("whisper_encoder", "input_features=float32[batch,40,200]"),
    _words("transformer_tagger", "ids=int64[batch,seq:1..256]<2000"),
    _plain(
        "translator",
        "source=int64[batch,seq]<2000",
        "target=int64[batch,length]<2000",
        example={"seq": 12, "length": 9},
        seq=17,
        length=6,
    ),
    _plain("unet", "image=float32[batch,3,h:32..512*4,w:32..512*4]", example={"h": 64, "w": 64}, h=100, w=44),
    _plain("small_resnet", "image=float32[batch,3,h:32..256,w:32..256]", example={"h": 64, "w": 64}, h=100, w=45),
    _plain("digits", "image=float32[batch,1,28,28]"),
    _plain("lstm_tagger", "ids=int64[batch,12]<2000"),
    _plain("forecaster", "series=float32[batch,32,4]"),
    _plain("tabular_transformer", "numbers=float32[batch,8]", "levels=int64[batch,3]<5"),
    _plain("tab_transformer", "levels=int64[batch,4]<5", "numbers=float32[batch,6]"),
    _plain("tabnet", "x=float32[batch,16]"),
    _plain("mlp", "x=float32[batch,20]"),
)
