#!/usr/bin/env python3
"""Times programs against each other, one repetition in turns, all of them alive: what a machine can do changes by the second where others have a part of it.

    scripts/turns.py [--rounds N] 'target/release/tfc bench specs/bench-tiny.tfm --what decode --paced' 'another/tfc bench … --paced'

Each command does a repetition for each line of its standard input and prints the seconds that it took (`tfc bench --paced`; any program may). Prints the
median and the best of each, and the ratios of the first one's times to those of each other beside them: their median and quartiles.
"""
import argparse, shlex, statistics, subprocess, sys, time

# Repetitions of each program that do not count.
WARM_UP = 2


class Program:
    def __init__(self, command, rest):
        self.command, self.rest = command, rest
        try:
            self.process = subprocess.Popen(shlex.split(command), stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)
        except OSError as error:
            sys.exit(f"`{command}` does not start: {error.strerror}")
        self.seconds = []

    def repeat(self):
        try:
            self.process.stdin.write(b"\n")
            seconds = float(self.process.stdout.readline())
        except (BrokenPipeError, ValueError):
            sys.exit(f"`{self.command}` has not answered with seconds")
        time.sleep(self.rest)
        return seconds


def quartiles(numbers):
    return statistics.quantiles(numbers, n=4) if len(numbers) > 1 else numbers * 3


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=10, help="how often each does its work (10)")
    parser.add_argument("--rest", type=float, default=0.2, help="seconds after each, in which threads that spin fall asleep (0.2)")
    parser.add_argument("commands", nargs="+")
    arguments = parser.parse_args()
    programs = []
    for command in arguments.commands:
        programs.append(Program(command, arguments.rest))
        for _ in range(WARM_UP):
            programs[-1].repeat()
    for _ in range(arguments.rounds):
        for program in programs:
            program.seconds.append(program.repeat())
    first = programs[0].seconds
    for program in programs:
        low, middle, high = quartiles([a / b for a, b in zip(first, program.seconds)])
        median, best = statistics.median(program.seconds), min(program.seconds)
        print(f"{median:9.4f} s median {best:9.4f} s best, {middle:.3f} times as fast as the first ({low:.2f} to {high:.2f}): {program.command}")
        program.process.stdin.close()
        program.process.wait()


if __name__ == "__main__":
    main()
