"""Where names were said to be, and whether that can be."""

from __future__ import annotations

import numpy as np

from analyzer.addresses import Place, place
from analyzer.dns_answers import Answers, domain, is_public, names_of_services
from analyzer.signature import Knowledge
from analyzer.tables import Stage

OTHERS = 2  # domains that must be answered as names should, before one name can be an exception


class Whereabouts:
    """Kinds of places by address, services by name, and who was served where."""

    def __init__(self, answers: Answers, known: Knowledge):
        self.answers, self.known, self.seen = answers, known, answers.seen
        text = self.seen.text
        m, rows = answers.messages, answers.rows
        kinds = {n: place(text(n) or "") for n in np.unique(rows.address).tolist() if n >= 0}
        self.places = {number: kind for number, kind in kinds.items() if kind is not Place.PUBLIC}
        owners = names_of_services(np.unique(m.name).tolist(), self.seen, known)
        self.services = {name: service for name, (service, _) in owners.items()}
        fine = (m.address >= 0) & ~np.isin(m.address, list(self.places))
        names = (text(n) or "" for n in np.unique(m.name[fine]).tolist())
        self.ordinary = {domain(name) for name in names if is_public(name)}
        a = self.seen.attempts
        a = a[(a.proto == 6) & (a.stage == Stage.SERVED) & np.isin(a.name, m.name)]
        self._served = {*zip(a.name.tolist(), a.server.tolist(), strict=True)}

    def alone(self, name: int) -> bool:
        """Whether enough names of other domains were answered with public addresses."""
        return len(self.ordinary - {domain(self.seen.text(name) or "")}) >= OTHERS

    def served(self, name: int, address: int) -> bool:
        """Whether a client had a conversation under this name at that address: then the answer was right."""
        return (name, address) in self._served
