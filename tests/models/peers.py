"""The networks of `cnncli.models` in PyTorch, written from the papers; names are those of state dicts."""

from collections import OrderedDict

import torch
from torch import nn
from torch.nn import functional


def conv_bn(c, k, size, **settings):
    return nn.Conv2d(c, k, size, bias=False, **settings), nn.BatchNorm2d(k)


class Fire(nn.Module):
    """A fire module of SqueezeNet."""

    def __init__(self, c, squeezed, expanded):
        super().__init__()
        self.squeeze = nn.Conv2d(c, squeezed, 1)
        self.expand1x1 = nn.Conv2d(squeezed, expanded, 1)
        self.expand3x3 = nn.Conv2d(squeezed, expanded, 3, padding=1)

    def forward(self, x):
        x = functional.relu(self.squeeze(x))
        return torch.cat([functional.relu(self.expand1x1(x)), functional.relu(self.expand3x3(x))], 1)


class SqueezeNet(nn.Module):
    """Version 1.1."""

    def __init__(self, classes):
        super().__init__()
        fires = {3: (64, 16, 64), 4: (128, 16, 64), 6: (128, 32, 128), 7: (256, 32, 128)}
        fires |= {9: (256, 48, 192), 10: (384, 48, 192), 11: (384, 64, 256), 12: (512, 64, 256)}
        layers = {0: nn.Conv2d(3, 64, 3, stride=2), **{number: Fire(*maps) for number, maps in fires.items()}}
        self.features = nn.ModuleDict({str(number): layer for number, layer in layers.items()})
        self.classifier = nn.ModuleDict({"1": nn.Conv2d(512, classes, 1)})

    def forward(self, x):
        x = functional.relu(self.features["0"](x))
        for number in range(2, 13):
            if number in (2, 5, 8):
                x = functional.max_pool2d(x, 3, 2, ceil_mode=True)
            else:
                x = self.features[str(number)](x)
        return functional.relu(self.classifier["1"](x)).mean((2, 3))


class Residual(nn.Module):
    """A residual block; ``squeeze`` is the channels of its squeeze, or 0."""

    def __init__(self, c, k, *, stride, bottleneck, squeeze, option_a):
        super().__init__()
        wide = 4 * k if bottleneck else k
        if bottleneck:
            self.conv1, self.bn1 = conv_bn(c, k, 1)
            self.conv2, self.bn2 = conv_bn(k, k, 3, stride=stride, padding=1)
            self.conv3, self.bn3 = conv_bn(k, wide, 1)
        else:
            self.conv1, self.bn1 = conv_bn(c, k, 3, stride=stride, padding=1)
            self.conv2, self.bn2 = conv_bn(k, k, 3, padding=1)
        self.stride, self.more, self.bottleneck, self.option_a = stride, wide - c, bottleneck, option_a
        if squeeze:
            self.se = nn.ModuleDict({"fc1": nn.Conv2d(wide, squeeze, 1), "fc2": nn.Conv2d(squeeze, wide, 1)})
        if (stride > 1 or wide != c) and not option_a:
            self.downsample = nn.Sequential(*conv_bn(c, wide, 1, stride=stride))

    def forward(self, x):
        y = self.bn2(self.conv2(functional.relu(self.bn1(self.conv1(x)))))
        if self.bottleneck:
            y = self.bn3(self.conv3(functional.relu(y)))
        if hasattr(self, "se"):
            y = y * torch.sigmoid(
                self.se["fc2"](functional.relu(self.se["fc1"](y.mean((2, 3), keepdim=True))))
            )
        if hasattr(self, "downsample"):
            x = self.downsample(x)
        elif self.option_a and self.more:
            half = self.more // 2
            x = functional.pad(x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, half, self.more - half))
        return functional.relu(y + x)


class ResNet(nn.Module):
    """Stages of residual blocks; without a stem's stride and pooling for small images."""

    def __init__(
        self, classes, channels, blocks, *, bottleneck=False, squeeze=False, small=False, cifar=False
    ):
        super().__init__()
        c = channels[0]
        stem = {"stride": 1, "padding": 1} if small else {"stride": 2, "padding": 3}
        self.conv1, self.bn1 = conv_bn(3, c, 3 if small else 7, **stem)
        self.small, self.cifar, stages = small, cifar, []
        for stage, (k, count) in enumerate(zip(channels, blocks, strict=True)):
            for number in range(count):
                wide = 4 * k if bottleneck else k
                block = {
                    "stride": 2 if stage and not number else 1,
                    "bottleneck": bottleneck,
                    "squeeze": squeezed(wide) if squeeze else 0,
                    "option_a": cifar,
                }
                stages.append((stage, Residual(c, k, **block)))
                c = wide
        if cifar:
            self.l = nn.ModuleList([block for _, block in stages])
            self.linear = nn.Linear(c, classes)
        else:
            for stage in range(len(channels)):
                setattr(self, f"layer{stage + 1}", nn.Sequential(*[b for at, b in stages if at == stage]))
            self.fc = nn.Linear(c, classes)

    def forward(self, x):
        x = functional.relu(self.bn1(self.conv1(x)))
        if not self.small:
            x = functional.max_pool2d(x, 3, 2, 1)
        blocks = self.l if self.cifar else [self.layer1, self.layer2, self.layer3, self.layer4]
        for block in blocks:
            x = block(x)
        return (self.linear if self.cifar else self.fc)(x.mean((2, 3)))


class Basic(nn.Module):
    """Convolution, batch norm with epsilon 0.001, ReLU."""

    def __init__(self, c, k, size, **settings):
        super().__init__()
        self.conv, self.bn = nn.Conv2d(c, k, size, bias=False, **settings), nn.BatchNorm2d(k, eps=1e-3)

    def forward(self, x):
        return functional.relu(self.bn(self.conv(x)))


class Inception(nn.Module):
    def __init__(self, c, k1, r3, k3, r5, k5, kp):
        super().__init__()
        self.branch1 = Basic(c, k1, 1)
        self.branch2 = nn.Sequential(Basic(c, r3, 1), Basic(r3, k3, 3, padding=1))
        self.branch3 = nn.Sequential(Basic(c, r5, 1), Basic(r5, k5, 3, padding=1))
        self.branch4 = nn.Sequential(nn.MaxPool2d(3, 1, 1, ceil_mode=True), Basic(c, kp, 1))

    def forward(self, x):
        return torch.cat([self.branch1(x), self.branch2(x), self.branch3(x), self.branch4(x)], 1)


class Auxiliary(nn.Module):
    def __init__(self, c, classes):
        super().__init__()
        self.conv, self.fc1, self.fc2 = Basic(c, 128, 1), nn.Linear(2048, 1024), nn.Linear(1024, classes)

    def forward(self, x):
        x = self.conv(functional.adaptive_avg_pool2d(x, 4)).flatten(1)
        return self.fc2(functional.relu(self.fc1(x)))  # dropout is left out: see the tests


class GoogLeNet(nn.Module):
    """Outputs of the classifier and of the two auxiliary heads."""

    def __init__(self, classes):
        super().__init__()
        self.conv1, self.conv2 = Basic(3, 64, 7, stride=2, padding=3), Basic(64, 64, 1)
        self.conv3 = Basic(64, 192, 3, padding=1)
        self.inception3a = Inception(192, 64, 96, 128, 16, 32, 32)
        self.inception3b = Inception(256, 128, 128, 192, 32, 96, 64)
        self.inception4a = Inception(480, 192, 96, 208, 16, 48, 64)
        self.inception4b = Inception(512, 160, 112, 224, 24, 64, 64)
        self.inception4c = Inception(512, 128, 128, 256, 24, 64, 64)
        self.inception4d = Inception(512, 112, 144, 288, 32, 64, 64)
        self.inception4e = Inception(528, 256, 160, 320, 32, 128, 128)
        self.inception5a = Inception(832, 256, 160, 320, 32, 128, 128)
        self.inception5b = Inception(832, 384, 192, 384, 48, 128, 128)
        self.aux1, self.aux2 = Auxiliary(512, classes), Auxiliary(528, classes)
        self.fc = nn.Linear(1024, classes)

    def forward(self, x):
        x = functional.max_pool2d(self.conv1(x), 3, 2, ceil_mode=True)
        x = functional.max_pool2d(self.conv3(self.conv2(x)), 3, 2, ceil_mode=True)
        x = functional.max_pool2d(self.inception3b(self.inception3a(x)), 3, 2, ceil_mode=True)
        a = self.inception4a(x)
        d = self.inception4d(self.inception4c(self.inception4b(a)))
        x = functional.max_pool2d(self.inception4e(d), 2, 2, ceil_mode=True)
        x = self.inception5b(self.inception5a(x))
        return self.fc(x.mean((2, 3))), self.aux1(a), self.aux2(d)


class Plain(nn.Module):
    """Features, an adaptive average pooling, and a classifier: AlexNet and VGG."""

    def __init__(self, features, pooled, classifier):
        super().__init__()
        self.features, self.classifier = nn.Sequential(*features), nn.Sequential(*classifier)
        self.pooled = pooled

    def forward(self, x):
        return self.classifier(functional.adaptive_avg_pool2d(self.features(x), self.pooled).flatten(1))


def drop():
    return nn.Identity()  # dropout is left out: see the tests


def alexnet(classes):
    features = [nn.Conv2d(3, 64, 11, 4, 2), nn.ReLU(), nn.MaxPool2d(3, 2)]
    features += [nn.Conv2d(64, 192, 5, padding=2), nn.ReLU(), nn.MaxPool2d(3, 2)]
    features += [nn.Conv2d(192, 384, 3, padding=1), nn.ReLU(), nn.Conv2d(384, 256, 3, padding=1), nn.ReLU()]
    features += [nn.Conv2d(256, 256, 3, padding=1), nn.ReLU(), nn.MaxPool2d(3, 2)]
    classifier = [drop(), nn.Linear(9216, 4096), nn.ReLU(), drop(), nn.Linear(4096, 4096), nn.ReLU()]
    return Plain(features, 6, [*classifier, nn.Linear(4096, classes)])


def vgg(classes, stages, *, norm):
    features, c = [], 3
    for k, count in zip((64, 128, 256, 512, 512), stages, strict=True):
        for _ in range(count):
            features += [nn.Conv2d(c, k, 3, padding=1), *([nn.BatchNorm2d(k)] if norm else []), nn.ReLU()]
            c = k
        features.append(nn.MaxPool2d(2))
    classifier = [nn.Linear(25088, 4096), nn.ReLU(), drop(), nn.Linear(4096, 4096), nn.ReLU(), drop()]
    return Plain(features, 7, [*classifier, nn.Linear(4096, classes)])


def squeezed(channels):
    """A sixteenth, to the nearest multiple of 8."""
    return max(8, round(channels / 128) * 8)


class Inverted(nn.Module):
    """An inverted residual with ReLU6."""

    def __init__(self, c, k, *, expansion, stride):
        super().__init__()
        wide, self.adds = c * expansion, stride == 1 and c == k
        steps = [Six(c, wide, 1)] if expansion > 1 else []
        steps += [Six(wide, wide, 3, stride=stride, padding=1, groups=wide), *conv_bn(wide, k, 1)]
        self.conv = nn.Sequential(*steps)

    def forward(self, x):
        return x + self.conv(x) if self.adds else self.conv(x)


class Six(nn.Sequential):
    """Convolution, batch norm, ReLU6."""

    def __init__(self, c, k, size, **settings):
        super().__init__(*conv_bn(c, k, size, **settings))

    def forward(self, x):
        return functional.relu6(super().forward(x))


class MobileNetV2(nn.Module):
    def __init__(self, classes):
        super().__init__()
        self.features = nn.Sequential(
            Six(3, 32, 3, stride=2, padding=1), Inverted(32, 16, expansion=1, stride=1)
        )
        c = 16
        for k, strides in (
            (24, (2, 1)),
            (32, (2, 1, 1)),
            (64, (2, 1, 1, 1)),
            (96, (1, 1, 1)),
            (160, (2, 1, 1)),
        ):
            for stride in strides:
                self.features.append(Inverted(c, k, expansion=6, stride=stride))
                c = k
        self.features.append(Inverted(160, 320, expansion=6, stride=1)).append(Six(320, 1280, 1))
        self.classifier = nn.Sequential(drop(), nn.Linear(1280, classes))

    def forward(self, x):
        return self.classifier(self.features(x).mean((2, 3)))


class Dense(nn.Module):
    """A dense layer of 32 maps."""

    def __init__(self, c):
        super().__init__()
        self.norm1, self.conv1 = nn.BatchNorm2d(c), nn.Conv2d(c, 128, 1, bias=False)
        self.norm2, self.conv2 = nn.BatchNorm2d(128), nn.Conv2d(128, 32, 3, padding=1, bias=False)

    def forward(self, x):
        new = self.conv1(functional.relu(self.norm1(x)))
        return torch.cat([x, self.conv2(functional.relu(self.norm2(new)))], 1)


class DenseNet(nn.Module):
    def __init__(self, classes, blocks):
        super().__init__()
        conv, norm = conv_bn(3, 64, 7, stride=2, padding=3)
        self.features, c = nn.ModuleDict({"conv0": conv, "norm0": norm}), 64
        for block, layers in enumerate(blocks, 1):
            dense = {f"denselayer{at + 1}": Dense(c + 32 * at) for at in range(layers)}
            self.features[f"denseblock{block}"] = nn.Sequential(OrderedDict(dense))
            c += 32 * layers
            if block < len(blocks):
                halved = {"norm": nn.BatchNorm2d(c), "conv": nn.Conv2d(c, c // 2, 1, bias=False)}
                self.features[f"transition{block}"] = nn.ModuleDict(halved)
                c //= 2
        self.features["norm5"], self.classifier = nn.BatchNorm2d(c), nn.Linear(c, classes)

    def forward(self, x):
        layers = self.features
        x = functional.relu(layers["norm0"](layers["conv0"](x)))
        x = functional.max_pool2d(x, 3, 2, 1)
        for block in range(1, 5):
            x = layers[f"denseblock{block}"](x)
            if block < 4:
                between = layers[f"transition{block}"]
                x = functional.avg_pool2d(between["conv"](functional.relu(between["norm"](x))), 2)
        return self.classifier(functional.relu(layers["norm5"](x)).mean((2, 3)))
