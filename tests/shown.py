"""What stands in a place for whoever reads it there, on a network where what was said can be put right."""

from tocsin.testing import Loudspeaker


def shown(chat: Loudspeaker, place: str = "room/#ops") -> list[str]:
    """Its messages as they read now: each with the last text that was said in its place."""
    texts = dict[str, str]()
    of_receipt = dict[str, str]()
    for number, said in enumerate(chat.said, 1):
        if str(said.place) == f"{chat.name}/{place}":
            # Said twice with one id it is one message.
            message = of_receipt[str(number)] = of_receipt[said.amends] if said.amends else said.txn_id
            texts[message] = str(said)
    return list(texts.values())


def edits(chat: Loudspeaker, place: str = "room/#ops") -> list[str]:
    """What was said in place of something else, in order."""
    return [str(said) for said in chat.said if said.amends and str(said.place) == f"{chat.name}/{place}"]
