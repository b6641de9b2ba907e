"""What an exit code says.

0 done; 1 done, but the answer is no; 2 wrong usage or configuration; 3 no endpoint found; 4 temporary trouble, try
again; 130 interrupted.
"""

from __future__ import annotations

OK, NO, USAGE, NO_ENDPOINT, TEMPORARY, INTERRUPTED = 0, 1, 2, 3, 4, 130
