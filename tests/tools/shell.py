"""The commands of docs/operate.md, run as they stand there: in a shell, one block after the other."""

import os
import re
import subprocess
import threading
from pathlib import Path

PAGE = Path("docs/operate.md")
_END = "=== end of block "
_SECONDS = 120
# An API has a name under amazonaws.com. Here it is ministack's to answer for it, on the Docker bridge and without TLS.
_PRELUDE = """
trap 'failed=1; echo "FAILED: $BASH_COMMAND"' ERR
curl() {{
    local argument arguments=()
    for argument; do
        arguments+=("$(sed -E 's#^https://([^.]+)\\.execute-api\\.us-east-1\\.amazonaws\\.com#http://\\1.execute-api.localhost#' \
            <<< "$argument")")
    done
    command curl --silent --connect-to ::{address} "${{arguments[@]}}"
}}
"""


def blocks(heading):
    """The shell commands below a heading of the page."""
    chapter = re.search(rf"^## {re.escape(heading)}\n(.*?)(?=^## |\Z)", PAGE.read_text(), re.DOTALL | re.MULTILINE)
    return re.findall(r"^```sh\n(.*?)^```", chapter[1], re.DOTALL | re.MULTILINE)


class Shell:
    """A shell in `folder`, where one finds what the page needs: what was built, the SAM CLI, account.yaml."""

    def __init__(self, folder, aws):
        self._folder = folder
        root = Path.cwd()
        for name in [".tools", "account.yaml", "operate"]:
            (folder / name).symlink_to(root / name)
        # Nobody is there to say yes.
        settings = (root / "samconfig.toml").read_text()
        (folder / "samconfig.toml").write_text(settings.replace("confirm_changeset = true", "confirm_changeset = false"))
        # It is built.
        (folder / "Makefile").write_text("build: ;\n")
        path = f"{root}/.tools/python/bin:{os.environ['PATH']}"
        self._shell = subprocess.Popen(
            ["bash"], cwd=folder, env={**aws.environment, "PATH": path}, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.run(_PRELUDE.format(address=aws.address))

    def run(self, commands, answers=()):
        """Whether a command failed, and what all of them say; each `read` takes one of the answers."""
        asked = [next(answers) for line in commands.splitlines() if line.startswith("read ")]
        (self._folder / "block.sh").write_text(commands)
        (self._folder / "answers").write_text("".join(f"{answer}\n" for answer in asked))
        self._shell.stdin.write(f"failed=0; source ./block.sh < answers; printf '\\n%s%s\\n' '{_END}' $failed\n")
        self._shell.stdin.flush()
        too_long = threading.Timer(_SECONDS, self._shell.kill)
        too_long.start()
        said = []
        for line in self._shell.stdout:
            if line.startswith(_END):
                too_long.cancel()
                return line != f"{_END}0\n", "".join(said).removesuffix("\n")
            said.append(line)
        raise SystemExit(f"The shell ended within\n{commands}\nafter\n{''.join(said)}")

    def end(self):
        self._shell.stdin.close()
        self._shell.wait(timeout=60)
