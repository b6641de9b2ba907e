"""What a project may hear of; `sender` is always `linkback.Site`.

Receivers are called in the thread that did the work, once it is recorded. What one raises is logged and stops no other.
"""

from django.dispatch import Signal

#: `mention`: a `linkback.Mention` that a check wrote, new or changed
mention_verified = Signal()
#: `mention`: a `linkback.Mention` that a check took away
mention_removed = Signal()
#: `delivery`: a `linkback.Delivery` that will not be tried again by itself
delivery_finished = Signal()
