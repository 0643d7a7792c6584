"""The networks of systems 3 and 4 against their papers: layers, parameters, receptive fields, sizes of maps."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from training.networks.backbones import ResNet, Vgg16, build_backbone, top_layers
from training.networks.dib_mg import DibMg, InitBlock, ResidualBlock
from training.networks.patch_classifier import PatchClassifier, slide
from training.networks.tops import Bottleneck, FcTop, FullyConnected, ResnetBlock, VggBlock, build_blocks
from training.networks.whole_image import WholeImageNetwork

PAPER_SHAPE = (1152, 896)


def parameters(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def map_size(module: nn.Module, shape: tuple[int, ...]) -> torch.Size:
    """The output's shape, found without computing it."""
    with torch.device("meta"):
        return module.to("meta")(torch.empty(shape, device="meta")).shape


def test_dib_mg_has_nineteen_convolutions() -> None:
    """Kim et al., Fig. 1: 2 initial blocks of one, 4 residual blocks of four, an aggregation block of one (1x1, two filters)."""
    network = DibMg()
    convolutions = [module for module in network.modules() if isinstance(module, nn.Conv2d)]
    assert len(convolutions) == 19
    assert convolutions[-1].kernel_size == (1, 1) and convolutions[-1].out_channels == 2
    assert all(convolution.kernel_size == (3, 3) for convolution in convolutions[:-1])
    assert sum(isinstance(module, InitBlock) for module in network.modules()) == 2
    blocks = [module for module in network.modules() if isinstance(module, ResidualBlock)]
    assert [sum(isinstance(part, nn.Conv2d) for part in block.modules()) for block in blocks] == [4, 4, 4, 4]
    assert sum(isinstance(module, nn.BatchNorm2d) for module in network.modules()) == 18
    assert sum(isinstance(module, nn.MaxPool2d) for module in network.modules()) == 5


def test_dib_mg_maps_are_a_thirty_second_of_the_image() -> None:
    network = DibMg()
    assert map_size(nn.Sequential(network.init_blocks, network.residual_blocks), (1, 1, 1600, 1600))[2:] == (50, 50)


def test_vgg16_has_14_7_million_parameters_and_resnet50_about_24() -> None:
    """Shen et al., Discussion: 15 million weights in the VGG16 without its FC layers, 24 million in the Resnet50."""
    vgg, resnet = Vgg16("random"), ResNet("resnet50", "random")
    assert parameters(vgg) == 14_714_688
    assert sum(isinstance(module, nn.Conv2d) for module in vgg.modules()) == 13
    assert not any(isinstance(module, nn.BatchNorm2d) for module in vgg.modules()), "BN was not used for the VGG16 patch classifier (3.1.4)"
    assert parameters(PatchClassifier(resnet)) == pytest.approx(24e6, rel=0.03)
    assert sum(isinstance(module, nn.Conv2d) for module in resnet.modules()) == 49 + 4, "with the four projections of shortcuts"


def test_a_3x3_convolution_on_the_patch_classifier_sees_288_pixels() -> None:
    """Shen et al., 2.1: 224 + (3 - 1) x 32 = 288; measured by the gradient of one cell on a backbone whose cells are 32x32 pixels."""
    backbone = nn.Conv2d(1, 2, 32, stride=32)
    pixels = torch.rand(1, 1, 512, 512, requires_grad=True)
    cells = nn.functional.conv2d(slide(backbone(pixels), 7), torch.ones(1, 2, 3, 3))
    cells[0, 0, 3, 3].backward()
    assert pixels.grad is not None
    seen = pixels.grad[0, 0] != 0
    assert (int(seen.any(dim=1).sum()), int(seen.any(dim=0).sum())) == (288, 288)


@pytest.mark.parametrize("name", ["vgg16", "resnet50", "googlenet"])
def test_the_grid_of_a_paper_size_image(name: str) -> None:
    """1152 x 896 pixels at a stride of 32: 36 x 28 features; a patch of 224 fits in 30 x 22 places."""
    backbone, channels = build_backbone(name, "random")
    features = map_size(backbone, (1, 1, *PAPER_SHAPE))
    assert features == (1, channels, 36, 28)
    assert slide(torch.empty(features, device="meta"), 7).shape[2:] == (30, 22)


@pytest.mark.parametrize(
    ("blocks", "channels", "grid"),
    [
        ((VggBlock(256), VggBlock(128)), 128, (9, 7)),
        ((VggBlock(512, 3), VggBlock(512, 3)), 512, (9, 7)),
        ((ResnetBlock((512, 512, 2048)), ResnetBlock((512, 512, 2048))), 2048, (9, 7)),
        ((ResnetBlock((256, 256, 512), 3), ResnetBlock((128, 128, 256), 3)), 256, (9, 7)),
        ((VggBlock(256, pool=False), VggBlock(128, pool=False)), 128, (36, 28)),
    ],
    ids=["256x1-128x1", "512x3", "resnet-2048x1", "resnet-512x3-256x3", "served"],
)
def test_two_blocks_halve_the_map_twice(blocks: tuple[VggBlock | ResnetBlock, ...], channels: int, grid: tuple[int, int]) -> None:
    top, outputs = build_blocks(blocks, 512)
    assert outputs == channels
    assert map_size(top.eval(), (1, 512, 36, 28)) == (1, channels, *grid)


def test_a_resnet_block_is_made_of_bottleneck_units() -> None:
    """[L - M - N] x K: units of 1x1, 3x3, 1x1 with batch norm in every convolution (Shen et al., 2.2)."""
    top, _ = build_blocks((ResnetBlock((64, 64, 256), 2), ResnetBlock((128, 128, 512), 2)), 5)
    units = [module for module in top if isinstance(module, Bottleneck)]
    assert len(units) == 4
    for unit, depths in zip(units, [(64, 64, 256)] * 2 + [(128, 128, 512)] * 2, strict=True):
        convolutions = [module for module in unit.body if isinstance(module, nn.Conv2d)]
        assert [c.kernel_size[0] for c in convolutions] == [1, 3, 1] and tuple(c.out_channels for c in convolutions) == depths
        assert sum(isinstance(module, nn.BatchNorm2d) for module in unit.body) == 3
    assert [isinstance(unit.shortcut, nn.Identity) for unit in units] == [False, True, False, True]


@pytest.mark.parametrize(
    ("pool", "units", "flat"), [(5, (64, 32), 120), (2, (512, 256), 825), (1, (2048, 1024), 3300)], ids=["5x5", "2x2", "1x1"]
)
def test_fc_layers_gradually_reduce_the_pooled_heatmap(pool: int, units: tuple[int, int], flat: int) -> None:
    """Tables 2 and 3: at 1152 x 896 the pooled heatmap has 6x4x5, 15x11x5 or 30x22x5 values, each a little more than the first FC layer."""
    layers = FullyConnected(FcTop(pool, units), classes=5).eval()
    assert layers.layers[0].in_features == flat and layers.outputs == units[1] + flat
    assert layers(torch.rand(2, 5, 30, 22)).shape == (2, units[1] + flat)
    assert layers(torch.rand(2, 5, 3, 2)).shape == (2, units[1] + flat), "the size of the image is an option"
    alone = FullyConnected(FcTop(pool, units, shortcut=False), classes=5)
    assert alone.outputs == units[1]


def test_the_shortcut_is_the_pooled_heatmap_itself() -> None:
    layers, heatmap = FullyConnected(FcTop(5, (64, 32)), classes=5).eval(), torch.rand(1, 5, 30, 22)
    assert torch.equal(layers(heatmap)[:, 32:], nn.functional.max_pool2d(heatmap, 5).flatten(1))


def test_the_layers_that_the_second_stage_frees() -> None:
    """Shen et al., 3.1.2: the top 11 Keras layers of VGG-16, the top 46 of ResNet-50."""
    vgg = [name for name, _ in Vgg16("random").named_parameters() if name.startswith(top_layers("vgg16"))]
    assert len(vgg) == 2 * 6, "six convolutions of blocks 4 and 5"
    resnet = ResNet("resnet50", "random")
    layers = [
        name
        for name, module in resnet.named_modules()
        if name.startswith(top_layers("resnet50")) and isinstance(module, nn.Conv2d | nn.BatchNorm2d)
    ]
    # Keras also counts the three ReLUs and the addition of each of the four units; with the ReLU and the addition that end the unit before,
    # global pooling and classifier that is 46.
    assert len(layers) + 4 * (3 + 1) + 2 + 2 == 46
    for name in ("resnet34", "resnet18", "googlenet", "efficientnet-lite0"):
        backbone, _ = build_backbone(name, "random")
        freed = [parameter for parameter, _ in backbone.named_parameters() if parameter.startswith(top_layers(name))]
        assert 0 < len(freed) < len(list(backbone.parameters())), name


class Tiles(nn.Module):
    """A backbone without padding: one cell sees 32x32 pixels, so that a patch and the place it was cut from give the same cells."""

    channels = 6

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Conv2d(1, 6, 32, stride=32), nn.ReLU())

    def forward(self, pixels: Tensor) -> Tensor:
        return self.layers(pixels)


def test_the_heatmap_is_the_patch_classifier_slid_over_the_image() -> None:
    """Shen et al., 2.1: f(M) is f(X) at every place where the patch fits."""
    torch.manual_seed(0)
    network, image = PatchClassifier(Tiles()).eval(), torch.rand(1, 1, 352, 288)
    with torch.no_grad():
        heatmap = network.heatmap(image)
        assert heatmap.shape == (1, 5, 5, 3)
        for row in range(5):
            for column in range(3):
                patch = image[:, :, 32 * row : 32 * row + 224, 32 * column : 32 * column + 224]
                expected = torch.softmax(network(patch)[0]["lesion"], dim=1)[0]
                assert torch.allclose(heatmap[0, :, row, column], expected, atol=1e-6)


@pytest.mark.parametrize("name", ["vgg16", "resnet18"])
def test_on_an_image_of_one_patch_the_heatmap_is_the_classifier(name: str) -> None:
    network, patch = PatchClassifier(name, "random").eval(), torch.rand(1, 1, 224, 224)
    with torch.no_grad():
        assert torch.allclose(network.heatmap(patch)[:, :, 0, 0], torch.softmax(network(patch)[0]["lesion"], dim=1), atol=1e-5)


@pytest.mark.parametrize("activation", ["relu", "softmax"])
def test_an_inserted_heatmap_starts_as_the_patch_classifier(activation: str) -> None:
    torch.manual_seed(0)
    patches = PatchClassifier("resnet18", "random").eval()
    whole = WholeImageNetwork("resnet18", imagenet=False, top=FcTop(1, (8, 4)), heatmap=activation).eval()  # type: ignore[arg-type]
    whole.load_patch_classifier(patches.state_dict())
    with torch.no_grad():
        logits, heat = whole(image := torch.rand(1, 1, 256, 224))
        assert torch.allclose(torch.softmax(heat, dim=1), patches.heatmap(image), atol=1e-5)
    assert logits["cancer"].shape == (1, 1) and whole.maps(heat).shape == (1, 1, 2, 1)
