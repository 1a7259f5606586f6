# SPDX-License-Identifier: GPL-3.0-or-later
"""A look at something, again and again, beside what a test does."""

import threading


class Watching:
    """look() in a thread of its own, until the end of the with; an error of it ends the test there."""

    def __init__(self, look, pause_s=0):
        self.look, self.pause_s, self.error = look, pause_s, None
        self.over = threading.Event()
        self.thread = threading.Thread(target=self.run)

    def run(self):
        try:
            while not self.over.wait(self.pause_s):
                self.look()
        except Exception as error:
            self.error = error

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.thread.join()
        if self.error:
            raise self.error
