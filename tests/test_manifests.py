"""The manifests under deploy/: Kubernetes would take them, and they fit together."""

from pathlib import Path
from typing import Any

import pytest

from libretto_instrument._cli import main

kubernetes = pytest.importorskip(
    "kubernetes_validate", reason="kubernetes-validate is not installed"
)
yaml = pytest.importorskip("yaml")

FOLDER = Path(__file__).parents[1] / "deploy" / "kubernetes"

#: The oldest that has side-cars without being asked to, and the newest there is.
VERSIONS = ("1.29", kubernetes.latest_version())

Manifest = dict[str, Any]


def manifests() -> list[Any]:
    """Return every manifest, with a name for its test."""
    return [
        pytest.param(manifest, id=f"{path.stem}-{manifest['kind']}")
        for path in sorted(FOLDER.glob("*.yaml"))
        for manifest in yaml.safe_load_all(path.read_text("utf-8"))
    ]


def pods(name: str) -> list[Manifest]:
    """Return what a file says of its pods."""
    documents = yaml.safe_load_all((FOLDER / name).read_text("utf-8"))
    return [each["spec"]["template"]["spec"] for each in documents if "spec" in each]


def containers(pod: Manifest) -> list[Manifest]:
    return [*pod.get("initContainers", []), *pod["containers"]]


def relays(pod: Manifest) -> list[Manifest]:
    return [each for each in containers(pod) if "relay" in each.get("command", [])]


def writers(pod: Manifest) -> list[Manifest]:
    return [each for each in pod["containers"] if each not in relays(pod)]


def spool_of(pod: Manifest, container: Manifest) -> tuple[str, str]:
    """Return a container's spool: the volume, by name and source, and the directory."""
    [directory] = [
        each["value"]
        for each in container["env"]
        if each["name"] == "LIBRETTO_SPOOL_DIR"
    ]
    [mount] = container["volumeMounts"]
    assert directory.startswith(mount["mountPath"] + "/")
    [volume] = [each for each in pod["volumes"] if each["name"] == mount["name"]]
    source = volume.get("hostPath", {}).get("path", volume["name"])
    return source, directory.removeprefix(mount["mountPath"])


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("manifest", manifests())
def test_kubernetes_takes_it(manifest: Manifest, version: str) -> None:
    """Each manifest is as the schema of Kubernetes has it, with no field unknown."""
    kubernetes.validate(manifest, version, strict=True)


def test_the_schema_is_strict() -> None:
    """A misspelt field would be found, also deep inside."""
    [pod] = pods("sidecar.yaml")
    manifest = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "shop"},
        "spec": pod,
    }
    kubernetes.validate(manifest, VERSIONS[0], strict=True)
    pod["containers"][0]["volumeMount"] = []
    with pytest.raises(kubernetes.ValidationError):
        kubernetes.validate(manifest, VERSIONS[0], strict=True)


@pytest.mark.parametrize("name", ["sidecar.yaml", "daemonset.yaml"])
def test_all_share_one_spool(name: str) -> None:
    """Writers and relays use the same directory as the same user."""
    found = pods(name)
    spools = {
        spool_of(pod, container)
        for pod in found
        for container in [*relays(pod), *writers(pod)]
    }
    assert len(spools) == 1
    users = {
        container["securityContext"].get(
            "runAsUser", pod["securityContext"]["runAsUser"]
        )
        for pod in found
        for container in [*relays(pod), *writers(pod)]
    }
    assert len(users) == 1
    assert sum(len(relays(pod)) for pod in found) == 1
    assert sum(len(writers(pod)) for pod in found) == 1


@pytest.mark.parametrize("name", ["sidecar.yaml", "daemonset.yaml"])
def test_the_relay_can_drain_in_time(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The command line is one that we understand, and its time to drain is well
    within that of the pod."""
    [(pod, relay)] = [(pod, relay) for pod in pods(name) for relay in relays(pod)]
    monkeypatch.setenv("LIBRETTO_SPOOL_DIR", relay["env"][0]["value"])
    program, *arguments = relay["command"] + relay["args"]
    assert program == "libretto-instrument"
    parsed = main._parser().parse_args(arguments)
    assert parsed.command.name == "relay"
    assert parsed.spool == relay["env"][0]["value"]
    assert parsed.drain_timeout <= pod["terminationGracePeriodSeconds"] / 2


def test_the_sidecar_outlives_the_application() -> None:
    """The relay beside an application is a native side-car, which is stopped last."""
    [pod] = pods("sidecar.yaml")
    [relay] = relays(pod)
    assert relay in pod["initContainers"]
    assert relay["restartPolicy"] == "Always"
