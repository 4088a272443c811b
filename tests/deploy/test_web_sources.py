"""Where deploy/web fetches from: its own host alone, whatever the address; in Node, with a `fetch` that only tells."""

import json

import pytest

from tests.deploy.javascript import WEB, node

PAGE = "http://127.0.0.1:8000/deploy/web/index.html?bundle=x"

LOOK = """
import { readFileSync } from 'node:fs';
import { fromAddress } from './sources.mjs';
import { LinregError } from '../js/errors.mjs';
const { page, addresses, names } = JSON.parse(readFileSync(0));
globalThis.location = new URL(page);
const found = [];
for (const address of addresses) {
  const asked = [];
  const refused = [];
  const note = (error) => refused.push(error instanceof LinregError ? error.message : `unexpected: ${error.stack}`);
  globalThis.fetch = async (place, { redirect }) => {
    asked.push([new URL(place, location.href).href, redirect]);
    return new Response('bytes');
  };
  try {
    const bundle = fromAddress(address);
    for (const name of names) await bundle.read(name).catch(note);
  } catch (error) {
    note(error);
  }
  found.push({ asked, refused });
}
console.log(JSON.stringify(found));
"""


def look(addresses: list[str], names: list[str], page: str = PAGE) -> list[dict]:
    work = {"page": page, "addresses": addresses, "names": names}
    ended = node("--input-type=module", "-e", LOOK, data=json.dumps(work).encode(), folder=WEB)
    assert ended.returncode == 0, ended.stderr.decode()
    return json.loads(ended.stdout)


HERE = "http://127.0.0.1:8000"

FETCHED = {
    "../../b": f"{HERE}/b/model.onnx",
    "../../b///": f"{HERE}/b/model.onnx",
    "/b?x=//host#//host": f"{HERE}/b/model.onnx",
    "/.//host/x": f"{HERE}//host/x/model.onnx",
    "/..//host/x": f"{HERE}//host/x/model.onnx",
    "./..//..//../..//host/x": f"{HERE}//host/x/model.onnx",
    "/%2e//host/x": f"{HERE}//host/x/model.onnx",
    "/.\\\\host\\x": f"{HERE}//host/x/model.onnx",
    "/.\t/\n/host/x": f"{HERE}//host/x/model.onnx",
    "http:/.//host/x": f"{HERE}//host/x/model.onnx",
    "HTTP://127.0.0.1:8000/.//host/x": f"{HERE}//host/x/model.onnx",
    " \t/b\n ": f"{HERE}/b/model.onnx",
    "http:b": f"{HERE}/deploy/web/b/model.onnx",
    "/a%2f%2fhost/x": f"{HERE}/a%2f%2fhost/x/model.onnx",
    "../../../../../../b": f"{HERE}/b/model.onnx",
    "": f"{HERE}/deploy/web/index.html/model.onnx",
    "/": f"{HERE}/model.onnx",
    "b c/\u00fc": f"{HERE}/deploy/web/b%20c/%C3%BC/model.onnx",
    "@host/x": f"{HERE}/deploy/web/@host/x/model.onnx",
}
"""An address, and what is fetched: always of this host."""

REFUSED = [
    "//host/x",
    "///host/x",
    "/\\host/x",
    "\\\\host\\x",
    "\\/host/x",
    "/\t/host/x",
    "\n//host/x",
    " //host/x ",
    "http://host/x",
    "HtTp://host/x",
    "http:\\\\host\\x",
    "https://127.0.0.1:8000/b",
    "https:b",
    "http://127.0.0.1:8001/b",
    "http://127.0.0.1/b",
    "http://127.0.0.1:8000@host/b",
    "http://user:secret@127.0.0.1:8000/b",
    "http://user@127.0.0.1:8000/b",
    "http://localhost:8000/b",
    "http://[",
    "data:,x",
    "DATA:text/plain,x",
    "blob:http://127.0.0.1:8000/5d2c",
    "blob:http://127.0.0.1:8000//host/x",
    "filesystem:http://127.0.0.1:8000/temporary/x",
    "javascript:alert(1)",
    "java\nscript:alert(1)",
    "file:///etc",
    "about:blank",
    "ftp://127.0.0.1:8000/b",
    "ws://127.0.0.1:8000/b",
]


@pytest.fixture(scope="module")
def seen() -> dict[str, dict]:
    addresses = [*FETCHED, *REFUSED]
    return dict(zip(addresses, look(addresses, ["model.onnx"]), strict=True))


@pytest.mark.parametrize("address", FETCHED)
def test_an_address_stays_on_this_host(seen, address):
    assert seen[address] == {"asked": [[FETCHED[address], "error"]], "refused": []}


@pytest.mark.parametrize("address", REFUSED)
def test_an_address_elsewhere_is_refused(seen, address):
    assert seen[address]["asked"] == []
    (said,) = seen[address]["refused"]
    assert said.startswith("the bundle '") and said.endswith("is not on this host; serve its folder beside this page")


def test_two_opaque_origins_are_not_one():
    """A page of file: has the origin 'null', as every data: has."""
    addresses = ["data:,x", "file:///etc", "b"]
    assert all(found["asked"] == [] for found in look(addresses, ["model.onnx"], page="file:///deploy/web/index.html"))


NAMES = [
    "../model.onnx",
    "/model.onnx",
    "//host/x",
    "http://host/x",
    "..%2fmodel.onnx",
    "test_data_set_0/../../x",
    "test_data_set_0/..",
    "plots/x.png",
    "model.onnx?x",
    "model.onnx#x",
    "..\\x",
    "a\tb",
    "",
    ".",
    "..",
]


def test_a_name_that_leaves_the_folder_is_refused():
    good = ["model.onnx", "test_data_set_10/input_0.pb"]
    (found,) = look(["/b"], [*NAMES, *good])
    assert found["asked"] == [[f"{HERE}/b/{name}", "error"] for name in good]
    assert len(found["refused"]) == len(NAMES)
    assert all(said.endswith("is no name of a file of a bundle") for said in found["refused"])
