"""Recipes: what is refused, and that code, page and schema tell the same."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest

from eie.batch import Item, parse_recipe, read_recipe
from eie.batch import recipe as recipes
from eie.editing import Delete
from eie.errors import BadInputError

FORMATS = Path(__file__).parents[2] / "formats"
SCHEMA = json.loads((FORMATS / "recipe.schema.json").read_text("utf-8"))
PAGE = (FORMATS / "recipe.md").read_text("utf-8")


def recipe(**changes: object) -> str:
    return json.dumps({"format": "eie-recipe", "version": 1, **changes})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ("[]", "not a recipe"),
        ('{"format": "eie-edits", "version": 1}', "not a recipe"),
        (recipe(version=2), "version is 2"),
        (recipe(version=True), "version is True"),
        (recipe(rendr={}), "there is no 'rendr' .did you mean 'render'"),
        (recipe(render={"sed": 1}), "render: there is no 'sed' .did you mean 'seed'"),
        (recipe(render={"xyzzy": 1}), "render: there is no 'xyzzy' .known are: decoder"),
        (recipe(render=5), "'render' is 5, not an object"),
        (recipe(decompose={"elements": "many"}), "'elements' is \"many\", not a whole number"),
        (recipe(decompose={"elements": True}), "'elements' is true, not a whole number"),
        (recipe(elements="yes"), "'elements' is \"yes\", not true or false"),
        (recipe(edit={}), "not a list of operations or the path"),
        (recipe(edit=[{"operation": "delte", "selection": "1"}]), "operation 1.*mean 'delete'"),
        (recipe(edit=[{"operation": "delete"}]), "edit, operation 1: delete lacks 'selection'"),
        (recipe(edit="nowhere.json"), "nowhere.json: cannot be read"),
        (recipe(render={"format": "gif"}), "there is no format 'gif'"),
        (recipe(render={"quality": 90}), "PNG is lossless"),
        (recipe(render={"decoder": "magic"}), "no decoder 'magic'"),
        (recipe(render={"steps": 3}), "'classical' does not take these options: steps"),
        (recipe(render={"free": True, "decoder": "classical"}), "embeddings alone"),
        (recipe(render={"edge": "round"}), "there is no edge 'round'"),
        (recipe(render={"size": 0}), "render: the size is 0"),
        (recipe(render={"size": 2.5}), "'size' is 2.5, not a whole number"),
        (recipe(render={"variations": 0}), "render: there are to be 0 variations"),
        (
            recipe(render={"variations": 2, "free": True}),
            "the decoder 'light' always makes the same",
        ),
        (recipe(tolerance=3), "outside 0 to 1"),
        (recipe(intent="best"), "there is no intent 'best'"),
    ],
)
def test_what_is_no_recipe_is_refused_at_its_place(text: str, message: str) -> None:
    with pytest.raises(BadInputError, match=message):
        parse_recipe(text)


def test_masks_are_found_by_the_photos_name_beside_the_recipe(tmp_path: Path) -> None:
    (tmp_path / "a.png").touch()
    entries = [
        {"operation": "delete", "selection": "mask:{stem}.png"},
        {"operation": "delete", "selection": "mask:masks/{path}.png+3"},
    ]
    (tmp_path / "recipe.json").write_text(recipe(edit=entries))
    read = read_recipe(tmp_path / "recipe.json")
    made = read.operations_for(Item(Path("x/sub/a.jpg"), Path("sub/a.jpg")))
    assert made == [Delete(f"mask:{tmp_path / 'a.png'}"), Delete("mask:masks/sub/a.png+3")]
    odd = read.operations_for(Item(Path("b.png-c.jpg"), Path("b.png-c.jpg")))
    assert odd[0].selections["selection"].masks[0].file == "b.png-c.png"


def test_a_script_is_found_beside_the_recipe_and_its_masks_beside_it(tmp_path: Path) -> None:
    (tmp_path / "edits").mkdir()
    (tmp_path / "edits" / "a.png").touch()
    script = {"format": "eie-edits", "version": 1}
    script["operations"] = [{"operation": "delete", "selection": "mask:{stem}.png"}]
    (tmp_path / "edits" / "edits.json").write_text(json.dumps(script))
    read = parse_recipe(recipe(edit="edits/edits.json"), folder=tmp_path)
    assert read.files_for(Item(Path("a.jpg"), Path("a.jpg"))) == [tmp_path / "edits" / "a.png"]


def test_the_schema_knows_every_key_and_nothing_else() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    known = SCHEMA["properties"]
    assert list(known) == list(recipes.TOP)
    for part in ("decompose", "encode", "render"):
        assert list(known[part]["properties"]) == list(getattr(recipes, part.upper()))
        for key in getattr(recipes, part.upper()):
            assert f"`{key}`" in PAGE
    for key in recipes.TOP:
        assert f"`{key}`" in PAGE or f'"{key}"' in PAGE


def test_the_page_shows_a_recipe_that_can_be_read() -> None:
    read = parse_recipe(PAGE.split("```json\n")[1].split("```")[0])
    assert len(read.operations) == 2
    assert read.elements
