"""`python -m kgan.serving`: a server for a laptop; `python -m kgan.serving config`: the files of TF Serving."""

import logging
import os
import sys

if __name__ == "__main__":
    if sys.platform == "linux" and "GLIBC_TUNABLES" not in os.environ:
        # Large pages of memory, which only a process that begins can ask for: a request takes a twentieth less time.
        os.environ["GLIBC_TUNABLES"] = "glibc.malloc.hugetlb=1"
        os.execv(sys.executable, sys.orig_argv)
    for package in ("keras", "tf_keras"):
        sys.modules[package] = None  # TensorFlow looks for Keras and does without: exported models do not need it
os.environ.setdefault("GRPC_VERBOSITY", "NONE")

import tyro  # noqa: E402

from kgan import quiet  # noqa: E402
from kgan.errors import UsageError  # noqa: E402


def main(arguments: list[str]) -> None:
    """Run the command line; a user's mistake is one sentence and exit status 2."""
    quiet.import_tensorflow()
    logging.getLogger("tensorflow").setLevel(logging.ERROR)  # the loader that TF Serving uses is deprecated, it says
    style = (tyro.conf.OmitArgPrefixes, tyro.conf.FlagCreatePairsOff)
    try:
        if arguments[:1] == ["config"]:
            from kgan.serving import config

            options = tyro.cli(config.Options, args=arguments[1:], prog="python -m kgan.serving config", config=style)
            config.write(options)
        else:
            from kgan.serving import server

            options = tyro.cli(server.Options, args=arguments, prog="python -m kgan.serving", config=style)
            server.run(options)
    except UsageError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    main(sys.argv[1:])
