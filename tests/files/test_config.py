from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import Field, model_validator

from harness.errors import InvalidInput, WrongUsage
from harness.files.toml_records import Record, checked, read_toml


class Wheel(Record):
    diameter: int = 1
    maker: str = ""


class Cart(Record):
    name: str
    spare: Wheel = Wheel()
    wheels: tuple[Wheel, ...] = Field(default=(Wheel(),), min_length=1)
    fallback: Wheel | None = None
    named: dict[str, Wheel] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _no_broken_cart(self) -> Cart:
        if self.name == "Broken":
            raise ValueError("No cart is called Broken, see R@2kt")
        return self


def faults(data: dict[str, object]) -> list[str]:
    with pytest.raises(InvalidInput, match="cart is invalid") as caught:
        checked(Cart, data, "cart")
    return [str(finding) for finding in caught.value.findings]


def test_good_data_become_an_immutable_record() -> None:
    cart = checked(Cart, {"name": "c", "wheels": [{"diameter": 2}]}, "cart")
    assert cart.wheels == (Wheel(diameter=2),)
    with pytest.raises(ValueError, match="frozen"):
        cart.name = "d"  # type: ignore[misc]


@pytest.mark.parametrize(
    ("data", "told"),
    [
        ({"nmae": 1}, "cart: nmae: unknown key; did you mean 'name'?"),
        ({"spare": {"diametre": 1}}, "cart: spare.diametre: unknown key; did you mean 'diameter'?"),
        ({"wheels": [{}, {"mkaer": ""}]}, "cart: wheels.1.mkaer: unknown key; did you mean 'maker'?"),
        ({"fallback": {"makr": ""}}, "cart: fallback.makr: unknown key; did you mean 'maker'?"),
        ({"named": {"left": {"diamter": 1}}}, "cart: named.left.diamter: unknown key; did you mean 'diameter'?"),
        ({"xyz": 1}, "cart: xyz: unknown key; known keys: fallback, name, named, spare, wheels"),
    ],
)
def test_a_misspelt_key_suggests_the_right_one_at_any_depth(data: dict[str, object], told: str) -> None:
    assert faults({"name": "c", **data}) == [told]


def test_several_faults_are_in_one_report_each_with_its_place() -> None:
    found = faults({"spare": {"diameter": "wide"}, "wheels": [{"diameter": []}], "colour": "red"})
    assert len(found) == 4
    assert "cart: name: missing; add this key" in found
    assert any(fault.startswith("cart: spare.diameter: 'wide': ") for fault in found)
    assert any(fault.startswith("cart: wheels.0.diameter: []: ") for fault in found)
    assert any(fault.startswith("cart: colour: unknown key") for fault in found)


def test_a_faulty_item_does_not_make_its_list_too_short() -> None:
    assert faults({"name": "c", "wheels": [{"maker": 1}]}) == [
        "cart: wheels.0.maker: 1: input should be a valid string"
    ]
    (found,) = faults({"name": "c", "wheels": []})
    assert found.startswith("cart: wheels: []: ")


def test_names_in_a_message_keep_their_letters() -> None:
    assert faults({"name": "Broken"}) == ["cart: top level: no cart is called Broken, see R@2kt"]


def test_files_that_are_no_toml_are_told_from_files_that_are_not_there(tmp_path: Path) -> None:
    path = tmp_path / "cart.toml"
    with pytest.raises(WrongUsage, match="no file"):
        read_toml(path)
    with pytest.raises(WrongUsage, match="is a folder"):
        read_toml(tmp_path)
    for content in (b"name = ", b'name = "\xff"', b"x = " + b"[" * 100_000):
        path.write_bytes(content)
        with pytest.raises(InvalidInput, match=r"cart\.toml is not a TOML file: "):
            read_toml(path)
    path.write_bytes('name = "ёж"'.encode())
    assert read_toml(path) == {"name": "ёж"}
