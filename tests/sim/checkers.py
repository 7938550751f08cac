"""What must hold once all has come to rest. Each check has a name, and says what it found otherwise."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

import msgspec

from courtesy.base.ids import Partition, PersonId, Position, SourceId, effect_key, message_key, tie_break
from courtesy.base.time import DAY_MS
from courtesy.channel.contract import MAX_ATTEMPTS
from courtesy.consent.leaf import CHAIN_START, chain, leaf_hash
from courtesy.consent.standing import Standing
from courtesy.engine.contract import Count, IdentityReading, PersonReading, Quarantined
from courtesy.engine.imported import FileKey
from courtesy.engine.ledger import Chain, Entry
from courtesy.engine.outbox import EffectReading, EffectState
from courtesy.engine.permit import Permit, SendAudit
from courtesy.event.cause import Fate
from courtesy.event.choice import CHOICES_MAX, choice_id
from courtesy.event.event import decode_fact
from courtesy.identity.resolve import Link, Owner
from courtesy.identity.rules import IdentityRules, split_identifier
from courtesy.person.assemble import assemble
from courtesy.person.fold import fold_fact, fold_group_fact, merge
from courtesy.person.history import NO_CATALOGS, refold
from courtesy.person.record import FACTS, SYSTEM_SOURCE, Record, RecordKind
from courtesy.person.state import TIMERS_MAX, PersonState, decode_state, encode_state
from courtesy.person.step import WEBHOOK
from courtesy.runtime.audit import Recheck
from courtesy.runtime.ledger import Read, leaf_of, standing_of
from tests.sim.calls import CARTED, ORDERED, note_of
from tests.sim.history import Filed, History, Remembered
from tests.sim.leaving import Probe
from tests.sim.model import Model
from tests.sim.permit_checkers import check_asked_again, check_permits, check_sends
from tests.sim.remote import Remote
from tests.sim.system import ALWAYS, FICKLE, PATIENT

Found = Iterator[str]
KNOWN_THEN = (
    "person",
    "merged_people",
    "traits",
    "trait_origins",
    "event_count",
    "event_types",
    "first_seen",
    "last_seen",
    "events",
    "recent",
    "groups",
)
"""What is the same in a reading and in a later one as of its instant."""


@dataclass(slots=True)
class Rest:
    """Everything to judge by, read from the store after all came to rest."""

    seed: int
    history: History
    remote: Remote
    readings: dict[PersonId, PersonReading]
    states: dict[PersonId, bytes]
    refolded: dict[PersonId, bytes]
    effects: list[EffectReading]
    counts: list[Count]
    quarantined: list[Quarantined]
    explained: dict[PersonId, IdentityReading]
    set_aside: list[Position]
    histories: dict[PersonId, dict[Record, PersonId]]
    then: list[tuple[Remembered, dict[str, Any] | None]]
    text: str
    owners: dict[str, Owner]
    held: dict[PersonId, set[str]]
    known: set[str]
    imported: dict[FileKey, list[Count]]
    chosen: dict[PersonId, list[Read]]
    entries: list[Entry]
    keys: set[PersonId]
    probes: list[Probe]
    permits: list[Permit]
    audit: SendAudit
    recheck: Recheck
    facts: dict[PersonId, list[Filed]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        facts = self.history.facts(self.history.head)
        self.facts = {root: facts.get(root, []) for root in self.history.people()}


def check_acknowledged(rest: Rest) -> Found:
    """Every message that a client was told is stored lies in the log exactly once; no other does twice."""
    history = rest.history
    filed = [each for each in history.filed if _is_from_client(each) and not history.is_taken_back(each)]
    stored = Counter(each.record.key for each in filed)
    yield from (
        f"{key.hex()} is {n} times in the log" for key, n in stored.items() if n != 1 or key not in history.sent
    )
    places = {each.record.key: each.record.position for each in filed}
    for key, position in history.acknowledged.items():
        if key not in stored:
            yield f"{history.sent[key].message_id} was acknowledged, but is not in the log"
        elif position and places[key] > position:
            yield f"{history.sent[key].message_id} was acknowledged at {position}, but lies at {places[key]}"


def _is_from_client(filed: Filed) -> bool:
    record = filed.record
    return record.kind is RecordKind.EVENT and record.source != SYSTEM_SOURCE and not filed.forwarded


def check_counts(rest: Rest) -> Found:
    """received = stored + quarantined + duplicate + suppressed, per source and hour; and each is what it says."""
    sums: Counter[tuple[int, int]] = Counter()
    fates: Counter[tuple[int, Fate]] = Counter()
    for each in rest.counts:
        sums[each.source, each.hour_ms] += each.event_count * (1 if each.fate is Fate.RECEIVED else -1)
        fates[each.source, each.fate] += each.event_count
    yield from (f"{bucket}: received is off by {off}" for bucket, off in sums.items() if off)
    history = rest.history
    counted = [each for each in history.filed if each.record.position not in history.files.uncounted]
    stored = Counter(each.record.source for each in counted if _is_from_client(each))
    kept = Counter(each.source for each in rest.quarantined)
    for source in history.sources.values():
        files = [seen for file, seen in history.files.seen.items() if file.source == source]
        answered = history.answered_count[source] + sum(each.answered_count for each in files)
        unsure = history.unsure_count[source] + sum(each.unsure_count for each in files)
        if not answered <= fates[source, Fate.RECEIVED] <= answered + unsure:
            yield f"{source}: {fates[source, Fate.RECEIVED]} received, but {answered} answered and {unsure} perhaps"
        held = kept[source] + history.erased_held[source] + sum(each.erased_held_count for each in files)
        if fates[source, Fate.STORED] != stored[source] or fates[source, Fate.QUARANTINED] != held:
            yield f"{source}: counted {fates}, but {stored[source]} are stored and {kept[source]} in quarantine"


def check_facts(rest: Rest) -> Found:
    """What a person is read to be is what a slow model makes of their events: each counted exactly once."""
    for root, facts in rest.facts.items():
        whole = _whole(rest, root)
        yield from (f"person {root}: {each}" for each in Model(facts).differences(whole))


def _whole(rest: Rest, root: PersonId) -> PersonState:
    reading = rest.readings[root]
    return assemble(reading.person, reading.merged, reading.states, reading.tail)


def check_conservation(rest: Rest) -> Found:
    """All states together count what all people did: a merge loses nothing and invents nothing."""
    counted = sum(decode_state(state).event_count for state in rest.states.values())
    expected = sum(map(len, rest.facts.values()))
    if counted != expected:
        yield f"{counted} events in all states, expected {expected}"


def check_refold(rest: Rest) -> Found:
    """Folding the whole log again, in another store, gives the same states, byte for byte."""
    live, again = (
        {person: _without_timers(state) for person, state in states.items()} for states in (rest.states, rest.refolded)
    )
    for person in live.keys() | again.keys():
        if live.get(person) != again.get(person):
            yield f"person {person}: {live.get(person)!r}, folded again {again.get(person)!r}"


def _without_timers(content: bytes) -> bytes:
    state = decode_state(content)
    state.timers.clear()
    return encode_state(state)


def check_shuffle(rest: Rest) -> Found:
    """A person's events in any order, of any number of people who merge in any order, give the same facts."""
    chance = Random(f"{rest.seed} shuffle")
    for root, facts in rest.facts.items():
        parts = [PersonState(root) for _ in range(1 + chance.randrange(4))]
        for each in chance.sample(facts, len(facts)):
            record = each.record
            part, fact = chance.choice(parts), decode_fact(record.payload)
            if record.kind is RecordKind.GROUP:
                fold_group_fact(part, fact, tie_break(record.key))
            else:
                fold_fact(part, fact, tie_break(record.key), record.key)
        chance.shuffle(parts)
        for part in parts[1:]:
            merge(parts[0], part)
        expected, got = encode_state(parts[0]), _without_timers(encode_state(_whole(rest, root)))
        if expected != got:
            yield f"person {root}: {got!r}, shuffled {expected!r}"


def check_reads(rest: Rest) -> Found:
    """Nothing is left unfolded, and what is read of a person is what is stored, unless a merge itself was corrupted."""
    stuck = {
        each.record.person for each in rest.history.filed if each.rotten and each.record.kind is RecordKind.HAND_OVER
    }
    for root, part in rest.history.people().items():
        if rest.readings[root].tail or rest.readings[root].person != root:
            yield f"person {root} was read with {len(rest.readings[root].tail)} records in the tail"
        stored = rest.states.get(root)
        if not stuck.intersection(part) and stored is not None and encode_state(_whole(rest, root)) != stored:
            yield f"person {root}: {stored!r} is stored, but read otherwise"


def check_set_aside(rest: Rest) -> Found:
    """What was set aside is what was corrupted, no more and no less, each record once, where it came to lie."""
    erased = {person for erasure in rest.history.erasures for person in erasure.people}
    rotten = {each.record.position for each in rest.history.rotten()}
    found = set(rest.set_aside)
    # What was set aside as an erased person's is forgotten, though the event may be somebody else's by now.
    told_with = {each.record.position for each in rest.history.left() if each.record.person in erased}
    yield from (f"set aside, but sound: {position}" for position in sorted(found - rotten))
    yield from (f"corrupted, but not set aside: {position}" for position in sorted(rotten - found - told_with))
    if len(found) != len(rest.set_aside):
        yield "a record was set aside twice"


def check_times(rest: Rest) -> Found:
    """An event's time is when it happened by the server's clock, whatever the client's clock said."""
    for each in filter(_is_from_client, rest.history.filed):
        if each.rotten:
            continue
        event = msgspec.json.decode(each.record.payload)
        received, sent, original = event["received"], event.get("sent"), event.get("original")
        at = received if original is None else original if sent is None else received - (sent - original)
        if event["at"] != max(0, min(at, received)) or each.record.at != event["at"] or at > received + DAY_MS:
            yield f"{event['id']} is at {event['at']}, expected {at}"


GIVEN_UP = ("rejected", "bad_config")
"""Why an effect may fail at its first attempt."""


def check_effects(rest: Rest) -> Found:
    """Each effect has its trigger and went to its person; one final outcome, one report; handled once at most."""
    triggers = _triggers(rest)
    reports = Counter(
        (each.record.key, msgspec.json.decode(each.record.payload)["name"])
        for each in rest.history.filed
        if each.record.source == SYSTEM_SOURCE and each.record.kind is RecordKind.EVENT and not each.forwarded
        if not each.rotten
    )
    rotten = {each.record.key for each in rest.history.filed if each.rotten}
    # A report lies with whom the effect was of when it was claimed, and may be erased with them.
    erased = {each.record.key for each in rest.history.filed if rest.history.is_gone(each)}
    for effect in rest.effects:
        name = effect.key.hex()
        trigger = triggers.get(effect.key)
        settled = rest.history.effects[effect.key].settled
        if trigger is None or not _goes_to(rest.history, effect, trigger):
            yield f"{name}: nothing called for it"
        if effect.state not in (EffectState.DELIVERED, EffectState.FAILED) or len(settled) != 1:
            yield f"{name} is {effect.state} after {len(settled)} final settlements"
        if effect.key in erased:
            continue
        expected = {(effect.key, f"Webhook {str(effect.state).capitalize()}"): 1}
        if {what: n for what, n in reports.items() if what[0] == effect.key} != expected and effect.key not in rotten:
            yield f"{name} is {effect.state}, but reported as {[each for each in reports if each[0] == effect.key]}"
        if effect.state is EffectState.DELIVERED and effect.key not in rest.remote.handled:
            yield f"{name} counts as delivered, but never arrived"
        if effect.cause == "rejected" and effect.key not in rest.remote.refused:
            yield f"{name} counts as rejected, but nobody refused it"
        if effect.state is EffectState.FAILED and effect.cause not in GIVEN_UP and effect.attempt < MAX_ATTEMPTS:
            yield f"{name} was given up after {effect.attempt} attempts for {effect.cause}"
    yield from (f"{key.hex()} arrived unasked" for key in rest.remote.handled if key not in rest.history.effects)


def _goes_to(history: History, effect: EffectReading, trigger: Filed) -> bool:
    """Whether an effect is with whom its trigger belongs to; one that was carried out before they were cut apart stays
    with who they were together."""
    cut_s, standing = history.cut_s(effect.person), history.effects[effect.key]
    if cut_s is not None and standing.settled and standing.settled[0][0] <= cut_s:
        return history.ever_with(trigger.record.person) == history.ever_with(effect.person)
    return history.owner_of(trigger, history.head) == history.root_of(effect.person)


def _triggers(rest: Rest) -> dict[bytes, Filed]:
    """Every effect that any live event could ask of any subscription that was ever defined, by its key."""
    found: dict[bytes, Filed] = {}
    for each in filter(_is_from_client, rest.history.filed):
        if each.rotten:
            continue
        fact = msgspec.json.decode(each.record.payload)
        for subscription in (ALWAYS, PATIENT, *FICKLE):
            if fact.get("live", True) and ("*" in subscription.events or fact.get("name") in subscription.events):
                found[effect_key(each.record.key, f"{WEBHOOK}/{subscription.name}")] = each
    return found


def check_triggers(rest: Rest) -> Found:
    """What was always asked for came about; what waits for something not to happen came about unless it did."""
    keys = {each.key for each in rest.effects}
    if rest.history.erasures:
        # What somebody did who was cut apart since may have been erased with the other.
        keys |= rest.history.effects.keys()
    for root, facts in rest.facts.items():
        events = [(each.record, msgspec.json.decode(each.record.payload)) for each in facts]
        tracked = [each for each in events if each[1]["type"] == "track"]
        live = [each for each in tracked if each[1].get("live", True)]
        may_be_full = len(events) >= TIMERS_MAX
        # Who was cut apart may have done for one another what called off a wait, or not yet what does.
        was_cut = rest.history.cut_s(root) is not None
        orders = [(record, fact) for record, fact in tracked if fact["name"] == ORDERED]
        absorbed = _last_absorbed(rest.history, root)
        for record, fact in orders:
            if fact.get("live", True) and effect_key(record.key, f"{WEBHOOK}/{ALWAYS.name}") not in keys:
                yield f"person {root}: {record.key.hex()} did not start {ALWAYS.name!r}"
        for record, fact in live:
            if fact["name"] != CARTED:
                continue
            # History calls off nothing when it comes, but what comes or is absorbed after it.
            later = [
                order
                for order, other in orders
                if other["at"] >= fact["at"]
                if other.get("live", True) or order.position < max(record.position, absorbed)
            ]
            has_effect = effect_key(record.key, f"{WEBHOOK}/{PATIENT.name}") in keys
            known = [order for order in later if order.position < record.position and order.person == record.person]
            if not later and not has_effect and not may_be_full and not was_cut:
                yield f"person {root}: {record.key.hex()} did not start {PATIENT.name!r}, and nothing called it off"
            if known and has_effect and not was_cut:
                yield f"person {root}: {record.key.hex()} started {PATIENT.name!r}, though it was called off before"


def _last_absorbed(history: History, root: PersonId) -> Position:
    """Where the last record lies by which a person took another over; 0 for nowhere."""
    absorbs = (each.record for each in history.filed if each.record.kind is RecordKind.ABSORB)
    places = (each.position for each in absorbs if history.root_of(each.person) == root)
    return max(places, default=Position(0))


def check_waits(rest: Rest) -> Found:
    """What has to wait does not come early."""
    triggers = _triggers(rest)
    delays = {each.name: each.delay_ms for each in (PATIENT, *FICKLE)}
    for effect in rest.effects:
        trigger = triggers.get(effect.key)
        if trigger is None or rest.history.clock_was_set:
            continue
        early_ms = trigger.record.at + delays.get(effect.target, 0) - effect.created_ms
        if early_ms > 0:
            yield f"{effect.key.hex()} came {early_ms} ms early"


def check_explained(rest: Rest) -> Found:
    """Why the identifiers of a person are one person can be told: evidence links each to every other."""
    for person, reading in rest.explained.items():
        edges = [(link.a, link.b) for link in reading.links] + [(each.a, each.b) for each in reading.merges]
        held = rest.held.get(person, set())
        reached = {min(held)} if held else set()
        while more := {end for edge in edges if reached.intersection(edge) for end in edge} - reached:
            reached |= more
        if not held <= reached:
            yield f"person {person}: {sorted(held - reached)} can't be reached from {min(held)} by {edges}"


def check_targets(rest: Rest) -> Found:
    """No effect is given up for want of a target that was there all the while."""
    for effect in rest.effects:
        standing = rest.history.effects[effect.key]
        if effect.cause == "bad_config" and standing.settled:
            settled_s = standing.settled[0][0]
            if rest.history.was_defined(effect.target, standing.created_s, settled_s):
                yield f"{effect.key.hex()} was given up, but {effect.target!r} was defined"


def check_identity(rest: Rest) -> Found:
    """Who holds what is one thing said twice; a login is one person; what is shared links nobody; caps hold."""
    rules = IdentityRules()
    for key, owner in rest.owners.items():
        holders = [person for person, held in rest.held.items() if key in held]
        if holders != [owner.person]:
            yield f"{key} belongs to {owner.person}, but is held by {holders}"
        if rest.history.root_of(owner.person) != owner.person:
            yield f"{key} belongs to {owner.person}, who became part of another"
        kind = rules.kind_of(split_identifier(key)[0])
        if owner.shared and (len(rest.held[owner.person]) != 1 or not kind.shareable):
            yield f"{key} is shared, but linked to {rest.held[owner.person]}"
    for person, held in rest.held.items():
        for name, n in Counter(split_identifier(key)[0] for key in held).items():
            told = _alias_count(rest, person) + _by_hand_count(rest, person)
            if n > rules.kind_of(name).cap and not _by_hand_count(rest, person):
                yield f"person {person} holds {n} of {name}"
            if rules.kind_of(name).unique and n > 1 + told:
                yield f"person {person} has {n} values of {name}, but was told so {told} times"


def _alias_count(rest: Rest, person: PersonId) -> int:
    """How many aliases speak of a person and whoever they ever were one with; of corrupted ones too, for they were
    resolved before."""
    ever = rest.history.ever_with
    filed = [each for each in rest.history.filed if ever(each.record.person) == ever(person) and _is_from_client(each)]
    return sum(each.rotten or b'"previous"' in each.record.payload for each in filed)


def _by_hand_count(rest: Rest, person: PersonId) -> int:
    """How often they were merged by hand, whatever the rules say."""
    ever = rest.history.ever_with
    notes = [each.note for each in rest.history.repairs]
    return sum(note.kind == "merge" and ever(note.person) == ever(person) for note in notes)


def check_assigned(rest: Rest) -> Found:
    """Every event in history is somebody's, exactly once, and whose the repairs made it."""
    found = Counter(record.position for records in rest.histories.values() for record in records)
    facts = {each.record.position for each in rest.history.left() if each.record.kind in FACTS}
    yield from (f"{position} is {n} people's" for position, n in found.items() if n != 1)
    yield from (f"{position} is nobody's" for position in sorted(facts - found.keys()))
    for root, records in rest.histories.items():
        for record in records:
            owner = rest.history.owner_of(rest.history.filed[record.position - 1], rest.history.head)
            if owner != root:
                yield f"{record.position} is with {root}, expected with {owner}"


def check_restored(rest: Rest) -> Found:
    """Each person is what their own history comes to when it is folded for them apart, byte for byte."""
    for root, records in rest.histories.items():
        expected = encode_state(refold(root, list(records), NO_CATALOGS, 0))
        got = _without_timers(encode_state(_whole(rest, root)))
        if got != expected:
            yield f"person {root}: {got!r}, but from their history {expected!r}"


def check_known_then(rest: Rest) -> Found:
    """Who is looked up as of an instant is as they were read then."""
    for each, view in rest.then:
        if view is None:
            if each.carried or each.view["event_count"]:
                yield f"{each.kind} {each.value} was read at {each.at_ms}, but is not known as of then"
            continue
        for name in (*KNOWN_THEN, *(["members"] if each.kind == "group" else [])):
            if each.view[name] != view[name]:
                yield f"{each.kind} {each.value} as of {each.at_ms}: {name} {view[name]}, but was {each.view[name]}"


def check_forgotten(rest: Rest) -> Found:
    """Of who was erased nothing is left anywhere: no value that they told, and none of their identifiers but where
    somebody else's events carry it, or where it came again later."""
    history = rest.history
    gone = [each for each in history.filed if history.is_gone(each) and each.record.kind in FACTS]
    for each in gone:
        if history.is_taken_back(each):
            continue
        message = history.sent.get(each.record.key)
        if message is not None and note_of(message.message_id) in rest.text:
            yield f"{message.message_id} was erased, but what it told is on the disk"
    carried = {key for each in history.left() if each.record.kind in FACTS for key in history.carried_by(each.record)}
    for key in sorted({key for erasure in history.erasures for key in erasure.identifiers} - carried):
        if re.search(rf"(?<!\w){re.escape(key)}(?![\w.])", rest.text):
            yield f"{key} was erased, but is on the disk"


def check_ledger(rest: Rest) -> Found:
    """What the ledger says of each person is what is folded of their choices; its chains are unbroken, and there is no
    key to what somebody chose who was erased."""
    rotten = {
        choice_id(each.record.key, ordinal)
        for each in rest.history.filed
        if each.rotten
        for ordinal in range(CHOICES_MAX)
    }
    for person, read in rest.chosen.items():
        expected = _whole(rest, person).standing or Standing()
        folded = {each.id for kept in expected.scopes.values() for each in kept}
        # Choices of events that were corrupted, as they came or on their way to another, are folded only when they are
        # found anew from history.
        got = standing_of([each for each in read if each.content is None or each.content.id not in rotten - folded])
        if got != expected:
            yield f"person {person}: the ledger has {got}, folded is {expected}"
    chains: dict[Partition, Chain] = {}
    for place, entry in enumerate(rest.entries):
        known = chains.get(entry.partition, Chain(0, CHAIN_START))
        if (entry.index, entry.number, entry.previous) != (place, *known):
            yield f"entry {place} of the ledger does not go on from those before it"
        chains[entry.partition] = Chain(known.number + 1, chain(known.digest, leaf_hash(leaf_of(entry).to_bytes())))
    for erasure in rest.history.erasures:
        yield from (f"{person} was erased, but there is a key" for person in rest.keys & set(erasure.people))


def check_taken_back(rest: Rest) -> Found:
    """Of files that were taken back nobody has anything but the memory of what they kept apart, and of the others what
    was counted: nobody holds what only they told, is explained by them, or is one person for their sake alone."""
    history = rest.history
    facts = [each for each in history.left() if each.record.kind in FACTS]
    told = {key for each in facts for key in history.told_by(each.record)}
    # A group stays when its members are erased, and what was cut off by hand with whom it was given.
    told |= {key for each in history.filed if history.is_erased(each) for key in history.groups_of(each.record)}
    told |= {key for person, held in rest.held.items() if history.was_cut_by_hand(person) for key in held}
    yield from (f"{key} is somebody's, but nobody told it" for key in sorted(rest.known - told))
    left = {each.record.key for each in facts}
    taken = {each.record.key for each in history.filed if history.is_taken_back(each)} - left
    for person, reading in rest.readings.items():
        if history.was_cut_by_hand(person):
            continue
        explained = rest.explained[person]
        reasons: list[tuple[tuple[SourceId, str], object]] = [
            # What was set apart stays so, with what told it first. A merge that others account for by now keeps its own
            # evidence: it says why they became one then.
            *(
                ((each.source, each.message_id), each)
                for each in reading.identifiers
                if not each.shared and not _is_kept_group(rest, reading)
            ),
            *((each.evidence[:2], each) for each in explained.links if not _is_set_apart(rest, each)),
        ]
        wrong = [reason for message, reason in reasons if message_key(*message) in taken]
        yield from (f"person {person} is explained by what is gone: {reason}" for reason in wrong)
    edges = [history.carried_by(each.record) for each in facts] + history.by_hand
    # What was shared links nobody any more, and leaves links in its place; both stay.
    edges += [link[:2] for each in rest.explained.values() for link in each.links if "set apart" in link.reason]
    shared = {key for key, owner in rest.owners.items() if owner.shared}
    for person, held in rest.held.items():
        # What connected them may have been an identifier of somebody who was erased; and a cut by hand leaves together
        # what nothing connects.
        if history.erasures or history.was_cut_by_hand(person):
            continue
        reached = _reached(held, shared, edges) & held
        if held != reached:
            yield f"person {person}: nothing that is left connects {sorted(held - reached)} with {sorted(reached)}"
    for file, seen in history.files.seen.items():
        count = sum(each.event_count for each in rest.imported[file] if each.fate is Fate.RECEIVED)
        if not seen.answered_count <= count <= seen.answered_count + seen.unsure_count:
            yield f"{count} of {file.fingerprint:.8} are counted, but {seen.answered_count} were answered"


def _is_kept_group(rest: Rest, reading: PersonReading) -> bool:
    """Whether it is a group whose members may have been erased, which leaves it as it was."""
    return bool(rest.history.erasures) and any(each.identifier.startswith("group:") for each in reading.identifiers)


def _is_set_apart(rest: Rest, link: Link) -> bool:
    """Whether a link is one of those that an identifier left behind that became shared, or is with one."""
    shared = (owner.shared for key in (link.a, link.b) if (owner := rest.owners.get(key)))
    return "set apart" in link.reason or any(shared)


def _reached(held: set[str], shared: set[str], edges: Sequence[Sequence[str]]) -> set[str]:
    """All of some identifiers that the edges connect with the first, also over those that became shared since."""
    reached, waiting = {min(held)} if held else set(), [set(edge) & (held | shared) for edge in edges]
    while near := [edge for edge in waiting if edge & reached and not edge <= reached]:
        reached = reached.union(*near)
    return reached


CHECKS: dict[str, Callable[[Rest], Found]] = {
    "acknowledged": check_acknowledged,
    "counts": check_counts,
    "facts": check_facts,
    "conservation": check_conservation,
    "refold": check_refold,
    "shuffle": check_shuffle,
    "reads": check_reads,
    "set_aside": check_set_aside,
    "ledger": check_ledger,
    "times": check_times,
    "effects": check_effects,
    "triggers": check_triggers,
    "waits": check_waits,
    "targets": check_targets,
    "explained": check_explained,
    "identity": check_identity,
    "assigned": check_assigned,
    "restored": check_restored,
    "known_then": check_known_then,
    "forgotten": check_forgotten,
    "taken_back": check_taken_back,
    "permits": check_permits,
    "sends": check_sends,
    "asked_again": check_asked_again,
}

"""What is judged at rest, by name."""

WATCHED = frozenset(
    {"answers", "log", "one_owner", "read_your_writes", "trim", "cache", "processes", "progress"}
    | {"parted", "given_back"}
)
"""What is noticed on the way, by the parts of the simulation that see it."""


def judge(rest: Rest) -> Iterator[tuple[str, str]]:
    """Names of checks and what they found, in order. That one can't be made, for things being too far off, counts."""
    for name, check in CHECKS.items():
        try:
            yield from ((name, found) for found in check(rest))
        except Exception as error:  # noqa: BLE001 -- the outermost edge of a check
            yield name, f"can't be checked: {error!r}"
