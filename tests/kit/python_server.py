"""Runs Python programs that all begin with the same large modules: it has these, and each program runs in a fork of it.

Usage: python_server.py SOCKET. A connection is one program: four bytes with the length of a JSON object with the
program's `arguments`, its `directory`, the `variables` that differ there (null for one that is not there) and, unless the
output comes back, the `log` that it goes into; then what is typed. The last byte of the answer is the exit code.
"""

import contextlib
import gc
import json
import os
import runpy
import signal
import socket
import sys
from pathlib import Path

import yaml

# PyYAML's own, in C: the other takes most of the time of `sam deploy`. SAM adds its constructors to whichever is here.
yaml.SafeLoader = yaml.CSafeLoader

import boto3.dynamodb.types
import cfnlint.schema.manager
import samcli.cli.main
import samcli.commands.delete.command
import samcli.commands.deploy.command
import samcli.commands.deploy.deploy_context
import samcli.commands.package.package_context
import samcli.commands.validate.validate
import samtranslator.translator.transform


def received(connection, size):
    data = b""
    while len(data) < size:
        more = connection.recv(size - len(data))
        if not more:
            sys.exit("The order of a program ends too early.")
        data += more
    return data


def prepare(connection, order):
    """Makes this process the one that was ordered: its directory, variables, arguments, input and output."""
    output = os.open(order["log"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC) if "log" in order else connection.fileno()
    for number, file in enumerate([connection.fileno(), output, output]):
        os.dup2(file, number)
    connection.close()
    os.chdir(order["directory"])
    for name, value in order["variables"].items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value
    sys.argv = order["arguments"]
    program = Path(sys.argv[0])
    sys.path[0] = str(program if program.is_dir() else program.resolve().parent)


def serve(path):
    """Gives the connection of each program, in the process that is to run it."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen()
    while True:
        connection, _ = listener.accept()
        if os.fork() == 0:
            listener.close()
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            return connection
        connection.close()


def end(path):
    Path(path).unlink(missing_ok=True)
    Path(path).parent.rmdir()
    os._exit(0)


def main():
    path = sys.argv[1]
    signal.signal(signal.SIGTERM, lambda *_: end(path))
    # Nobody waits for those that it has started.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    # A command ends before there is much to collect, and what is here stays.
    gc.disable()
    gc.freeze()
    connection = serve(path)
    order = json.loads(received(connection, int.from_bytes(received(connection, 4), "big")))
    program = os.fork()
    if program == 0:
        prepare(connection, order)
        return runpy.run_path(sys.argv[0], run_name="__main__")
    _, status = os.waitpid(program, 0)
    # Whoever has dropped the program does not want to know.
    with contextlib.suppress(OSError):
        connection.sendall(bytes([os.waitstatus_to_exitcode(status) & 255]))
        # To close it with something unread would take the answer back.
        connection.shutdown(socket.SHUT_WR)
        while connection.recv(4096):
            pass
    os._exit(0)


main()
