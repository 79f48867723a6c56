"""What every test gets: a home of its own and no network. Only Unix sockets and this machine itself can be reached."""

import ipaddress
import os
import socket
from pathlib import Path

import pytest

# Tiny networks are faster on one thread, and bit-equal on any machine; processes that tests start inherit it.
os.environ["OMP_NUM_THREADS"] = "1"


def pytest_configure(config: pytest.Config) -> None:
    """Warnings are errors but for one: diffusers' DPM-Solver asks numpy for a tensor in a way that numpy 2 regrets."""
    config.addinivalue_line(
        "filterwarnings", "ignore:__array__ implementation doesn't accept a copy:DeprecationWarning:diffusers"
    )


class NetworkBlocked(RuntimeError):
    """A test tried to reach the network."""


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A fresh, empty home of artlab."""
    folder = tmp_path / "home"
    monkeypatch.setenv("ARTLAB_HOME", str(folder))
    return folder


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Connecting anywhere but to this machine fails, and so does asking a name server."""
    connect, connect_ex, sendto, getaddrinfo = (
        socket.socket.connect,
        socket.socket.connect_ex,
        socket.socket.sendto,
        socket.getaddrinfo,
    )

    def checked(real):
        def call(self, *args):
            if self.family != getattr(socket, "AF_UNIX", None):
                refuse_strangers(args[-1])
            return real(self, *args)

        return call

    def resolve(host, *args, **kwargs):
        refuse_strangers((host,))
        return getaddrinfo(host, *args, **kwargs)

    monkeypatch.setattr(socket.socket, "connect", checked(connect))
    monkeypatch.setattr(socket.socket, "connect_ex", checked(connect_ex))
    monkeypatch.setattr(socket.socket, "sendto", checked(sendto))
    monkeypatch.setattr(socket, "getaddrinfo", resolve)


def refuse_strangers(address) -> None:
    """Raise NetworkBlocked unless the address (host, ...) is this machine."""
    host = address[0] if isinstance(address, tuple) else address
    host = host.decode() if isinstance(host, bytes) else host
    if host in (None, "", "localhost"):
        return
    try:
        if ipaddress.ip_address(host).is_loopback:
            return
    except ValueError:
        pass
    raise NetworkBlocked(f"A test tried to reach {host!r}; tests run without a network.")


@pytest.fixture(scope="session")
def tiny_base_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A base of the mini family in diffusers' layout: the real classes, tiny, with random weights. Load it with `load_base`."""
    import torch  # noqa: PLC0415 - most tests do without it
    from diffusers import AutoencoderDC, DDPMScheduler, UNet2DConditionModel  # noqa: PLC0415

    folder = tmp_path_factory.mktemp("tiny") / "tiny-base"
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        unet = UNet2DConditionModel(
            sample_size=16,
            in_channels=8,
            out_channels=8,
            down_block_types=("CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
            up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D"),
            block_out_channels=(16, 32),
            layers_per_block=1,
            cross_attention_dim=384,
            attention_head_dim=2,
            norm_num_groups=8,
        )
        widths, plain = (8, 8, 8, 16), ((), (), (), ())
        vae = AutoencoderDC(
            latent_channels=8,
            attention_head_dim=8,
            encoder_block_types="ResBlock",
            decoder_block_types="ResBlock",
            encoder_block_out_channels=widths,
            decoder_block_out_channels=widths,
            encoder_layers_per_block=(0, 1, 1, 1),
            decoder_layers_per_block=(0, 1, 1, 1),
            encoder_qkv_multiscales=plain,
            decoder_qkv_multiscales=plain,
            encoder_out_shortcut=False,
            decoder_in_shortcut=False,
            scaling_factor=1.0,
        )
    unet.save_pretrained(folder / "unet")
    vae.save_pretrained(folder / "vae")
    DDPMScheduler(prediction_type="v_prediction", rescale_betas_zero_snr=True).save_pretrained(folder / "scheduler")
    (folder / "artlab.json").write_text('{"family": "mini"}')
    return folder
