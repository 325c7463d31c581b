"""A shell that runs the commands of docs/deploy.md against the emulator of AWS."""

import os
import subprocess
import threading
from pathlib import Path

_END = "=== end of block "
_SECONDS = 600
# Sends requests for API Gateway's host names to the emulator, which uses its own address as domain and has no TLS.
_PRELUDE = """
trap 'failed=1; echo "FAILED: $BASH_COMMAND"' ERR
curl() {{
    local argument arguments=() gateway='^https://([^.]+)\\.execute-api[^/]+'
    for argument; do
        arguments+=("$(sed -E "s,$gateway,http://\\1.execute-api.{address}," <<< "$argument")")
    done
    command curl --silent --connect-to ::{address} "${{arguments[@]}}"
}}
"""


class Shell:
    """A shell in a folder that contains everything that the commands use: the tools and the templates."""

    def __init__(self, folder, aws):
        self._folder = folder
        root = Path.cwd()
        for name in [".tools", "account.yaml", "operate"]:
            (folder / name).symlink_to(root / name)
        # Deploy without confirmation.
        settings = (root / "samconfig.toml").read_text()
        (folder / "samconfig.toml").write_text(
            settings.replace("confirm_changeset = true", "confirm_changeset = false")
        )
        # The functions are built already.
        (folder / "Makefile").write_text("build: ;\n")
        path = f"{root}/.tools/python/bin:{os.environ['PATH']}"
        self._shell = subprocess.Popen(
            ["bash"],
            cwd=folder,
            env={**aws.environment, "PATH": path},
            text=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        self.run(_PRELUDE.format(address=aws.address))

    def run(self, commands, answers=()):
        """Returns the output of commands that must all succeed. Each `read` gets the next of the answers."""
        needed = [next(answers) for line in commands.splitlines() if line.startswith("read ")]
        (self._folder / "block.sh").write_text(commands)
        (self._folder / "answers").write_text("".join(f"{answer}\n" for answer in needed))
        self._shell.stdin.write(f"failed=0; source ./block.sh < answers; printf '\\n%s%s\\n' '{_END}' $failed\n")
        self._shell.stdin.flush()
        too_long = threading.Timer(_SECONDS, self._shell.kill)
        too_long.start()
        output = []
        for line in self._shell.stdout:
            if line.startswith(_END):
                too_long.cancel()
                text = "".join(output).removesuffix("\n")
                assert line == f"{_END}0\n", text
                return text
            output.append(line)
        raise AssertionError(f"The shell ended within\n{commands}\nafter\n{''.join(output)}")

    def end(self):
        self._shell.stdin.close()
        self._shell.wait(timeout=60)
