"""Evidence, attempts and controls into verdicts: only combines, never looks at a packet.

There is no score. For each target (`bench`) the findings are sorted into cases, one per action (`cases`); what
contradicts them is taken out; what remains is weighed by strength, by independent families and by controls (`states`);
what accuses is given a name (`naming`), and what it cannot say is said too (`doubts`). The network as a whole comes
first (`network`): where nothing works, nobody is accused.
"""

from analyzer.verdict.doubts import SEALED
from analyzer.verdict.judge import judge

__all__ = ["SEALED", "judge"]
