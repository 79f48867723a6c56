"""Marks that say “made by a model”: an invisible watermark in the pixels, and a signed C2PA manifest.

The third mark, IPTC's digital source type, is part of what `recipe` writes. Metadata is lost in the first upload; the watermark is what
is left then. It is a spread-spectrum mark (Cox et al. 1997) on the low frequencies of the whole picture's brightness, which JPEG and
resizing keep; the picture's own share in each of its directions is taken out (Malvar and Florencio 2003), so that a picture does not
drown its mark. It says who made a picture, it does not guard it: whoever wants it gone can blur it away, and cropping loses it.
"""

import hashlib
import io
import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.fft import dctn, idctn

from artlab import files

TRAINED = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
BAND = (28, 90)
"""The mark's frequencies, in half waves over the picture: what is left when a picture of 512 pixels is shown at 128."""
FALL = 1.0
"""The spectrum of pictures falls about like one over frequency; evened out, each coefficient is worth the same."""
STRENGTH = 7.0
"""How far the mark stands out, in standard deviations of what the picture itself has in its direction: busy pictures hide more."""
FAINTEST = 0.12
"""The least spread, in grey levels: a flat picture, which has none, is marked all the same."""
FOUND = 4.0
"""The mark is there when it stands out by this much; one in thirty thousand unmarked pictures does by chance."""
SMALLEST = 96
_KEY = b"artlab watermark 1"
Array = NDArray[np.float64]


class ProvenanceError(ValueError):
    """A mark that cannot be made: why, and the way out."""


@dataclass(frozen=True)
class Mark:
    """What was read from a picture: whether the mark is there, and how clearly, in standard deviations."""

    found: bool
    z: float


def watermark(image: Image.Image) -> Image.Image:
    """The picture with the mark. Below 96 pixels a side there is no room for it, and the picture is returned as it is."""
    if min(image.size) < SMALLEST:
        return image
    pixels = np.asarray(image.convert("RGB"), dtype=np.float64)
    brightness = _brightness(pixels)
    spectrum = dctn(brightness, norm="ortho")
    at, even, direction = _direction(BAND)
    inside = (at[0] < brightness.shape[0]) & (at[1] < brightness.shape[1])
    at, even, direction = (at[0][inside], at[1][inside]), even[inside], direction[inside]
    values = spectrum[at] * even
    wanted = STRENGTH * max(_spread(values), FAINTEST * np.sqrt(brightness.size))
    spectrum[at] += (wanted - direction @ values) * direction / even
    change = idctn(spectrum, norm="ortho") - brightness
    return Image.fromarray(np.clip(np.rint(pixels + change[:, :, None]), 0, 255).astype(np.uint8))


def read(image: Image.Image) -> Mark:
    """The mark of a picture of any size, if it has one."""
    brightness = _brightness(np.asarray(image.convert("RGB"), dtype=np.float64))
    at, even, direction = _direction(BAND)
    spectrum = np.zeros((BAND[1], BAND[1]))  # a picture made smaller than the band has nothing up there
    whole = dctn(brightness, norm="ortho")[: BAND[1], : BAND[1]]
    spectrum[: whole.shape[0], : whole.shape[1]] = whole
    values = spectrum[at] * even
    z = float(direction @ values) / (_spread(values) or 1.0)
    return Mark(z >= FOUND, z)


def _spread(values: Array) -> float:
    """What a direction that knows nothing of the picture reads from it, as a standard deviation."""
    return float(np.linalg.norm(values)) / float(np.sqrt(values.size))


def _brightness(pixels: Array) -> Array:
    return pixels @ np.array([0.299, 0.587, 0.114])


@lru_cache(maxsize=4)
def _direction(band: tuple[int, int]) -> tuple[tuple[NDArray[np.int64], NDArray[np.int64]], Array, Array]:
    """Where the mark lies in the spectrum, what evens it out there, and its direction, a unit vector from a fixed key."""
    rows, columns = np.indices((band[1], band[1]))
    radius = np.hypot(rows, columns)
    at = np.nonzero((radius >= band[0]) & (radius < band[1]))
    seed = int.from_bytes(hashlib.sha256(_KEY).digest()[:8], "big")
    drawn = np.random.Generator(np.random.PCG64(seed)).standard_normal(at[0].size)
    return (at[0], at[1]), (radius[at] / band[0]) ** FALL, drawn / np.linalg.norm(drawn)


# -- C2PA -------------------------------------------------------------------------------------------------------------------


def sign(png: bytes, *, title: str, software: str) -> bytes:
    """A copy of a PNG with a C2PA manifest: made by a trained model, signed with this home's own test certificate.

    Readers show such a signature as valid but of an unknown signer, which is what it is; a studio that wants to be known gets a
    certificate from an authority. Nothing is asked of a time server. Needs the extra `artlab[c2pa]`.
    """
    try:
        import c2pa  # noqa: PLC0415 - the extra
    except ImportError:
        raise ProvenanceError("C2PA manifests need the extra: pip install 'artlab[c2pa]'. Or leave --c2pa out.") from None
    chain, key = certificate()
    info = c2pa.C2paSignerInfo(alg=b"es256", sign_cert=chain, private_key=key, ta_url=None)
    claim = {
        "claim_generator_info": [{"name": "artlab", "version": software}],
        "title": title,
        "format": "image/png",
        "assertions": [
            {
                "label": "c2pa.actions",
                "data": {
                    "actions": [{"action": "c2pa.created", "digitalSourceType": TRAINED, "softwareAgent": {"name": "artlab"}}]
                },
            }
        ],
    }
    out = io.BytesIO()
    with c2pa.Signer.from_info(info) as signer, c2pa.Builder(json.dumps(claim)) as builder:
        builder.sign(signer, "image/png", io.BytesIO(png), out)
    return out.getvalue()


def certificate() -> tuple[bytes, bytes]:
    """This home's test certificate with its authority's, and the key, as PEM; made the first time, the key for its owner alone."""
    folder = files.home() / "provenance"
    chain, key = folder / "chain.pem", folder / "key.pem"
    if not (chain.exists() and key.exists()):
        made, secret = _certificate()
        files.write(key, secret)
        key.chmod(0o600)
        files.write(chain, made)
    return chain.read_bytes(), key.read_bytes()


def _certificate() -> tuple[bytes, bytes]:
    """A leaf and the authority that signed it: C2PA takes no certificate that signed itself."""
    from cryptography import x509  # noqa: PLC0415 - the extra
    from cryptography.hazmat.primitives import hashes, serialization  # noqa: PLC0415
    from cryptography.hazmat.primitives.asymmetric import ec  # noqa: PLC0415
    from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID  # noqa: PLC0415

    def named(what: str) -> x509.Name:
        return x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, "artlab"), x509.NameAttribute(NameOID.COMMON_NAME, what)])

    def usage(**on: bool) -> x509.KeyUsage:
        names = ["digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement"]
        names += ["key_cert_sign", "crl_sign", "encipher_only", "decipher_only"]
        return x509.KeyUsage(**{name: on.get(name, False) for name in names})

    now = datetime.now(UTC)

    def begun(subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, authority: bool) -> x509.CertificateBuilder:
        builder = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(key)
        builder = builder.serial_number(x509.random_serial_number())
        builder = builder.not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=3650))
        return builder.add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)

    root_key, leaf_key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    root_name, leaf_name = named("artlab test authority"), named("artlab test signer")
    root = begun(root_name, root_name, root_key.public_key(), True)
    root = root.add_extension(usage(key_cert_sign=True, crl_sign=True), critical=True)
    root = root.add_extension(x509.SubjectKeyIdentifier.from_public_key(root_key.public_key()), critical=False)
    leaf = begun(leaf_name, root_name, leaf_key.public_key(), False)
    leaf = leaf.add_extension(usage(digital_signature=True), critical=True)
    leaf = leaf.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION]), critical=True)
    leaf = leaf.add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(root_key.public_key()), critical=False)
    pem = serialization.Encoding.PEM
    chain = b"".join(one.sign(root_key, hashes.SHA256()).public_bytes(pem) for one in (leaf, root))
    return chain, leaf_key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
