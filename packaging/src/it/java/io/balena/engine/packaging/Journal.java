package io.balena.engine.packaging;

import java.io.IOException;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/// What a client knows of an engine's state: every change that was asked for, when, and when it was acknowledged.
///
/// It is kept by names of which each is changed by one thread at a time. So at any moment a name has one acknowledged state, and
/// at most one that was asked for and not yet acknowledged. A power cut must leave one of these, whole.
final class Journal {
    private static final long NEVER = Long.MAX_VALUE;

    /// The state of one name as an inspecting client sees it; `ABSENT` when there is nothing of that name. A `*` in it stands for
    /// what only the acknowledgement would have told, such as an id.
    record State(String text) {
        static final State ABSENT = new State("absent");

        boolean allows(String seen) {
            return seen.matches("\\Q" + text.replace("*", "\\E.+\\Q") + "\\E");
        }

        boolean isAbsent() {
            return equals(ABSENT);
        }

        /// The parts between spaces.
        String word(int index) {
            return text.split(" ")[index];
        }
    }

    private record Entry(State state, long begun, long acknowledged) {}

    /// The engine answered that it would not.
    static final class Refused extends Exception {
        private static final long serialVersionUID = 1L;

        Refused(String message) {
            super(message);
        }
    }

    interface Change {
        /// @return the state as the acknowledgement describes it
        State make() throws IOException, Refused;
    }

    private final Map<String, List<Entry>> entries = new LinkedHashMap<>();
    private long acknowledged;

    /// Makes a change and notes it.
    ///
    /// @param wanted what it may leave if nobody hears of its end
    /// @throws Refused nothing has changed
    /// @throws IOException the answer never came, so it may have been made or not
    State change(String name, State wanted, Change change) throws IOException, Refused {
        State before = add(name, wanted);
        try {
            State made = change.make();
            end(name, made);
            return made;
        } catch (Refused e) {
            end(name, wanted);
            add(name, before);
            end(name, before);
            throw e;
        }
    }

    private synchronized State add(String name, State wanted) {
        List<Entry> known = entries.computeIfAbsent(name, _ -> new ArrayList<>(List.of(new Entry(State.ABSENT, 0, 0))));
        State before = known.getLast().state;
        known.add(new Entry(wanted, System.nanoTime(), NEVER));
        return before;
    }

    private synchronized void end(String name, State made) {
        List<Entry> known = entries.get(name);
        known.add(new Entry(made, known.removeLast().begun, System.nanoTime()));
        acknowledged++;
        // Older ones than these can no longer be what a copy holds that is still to be looked at.
        if (known.size() > 4000) known.subList(0, 2000).clear();
    }

    synchronized State last(String name) {
        List<Entry> known = entries.get(name);
        return known == null ? State.ABSENT : known.getLast().state;
    }

    synchronized long acknowledged() {
        return acknowledged;
    }

    synchronized List<String> names() {
        return List.copyOf(entries.keySet());
    }

    /// What a name may be on a copy of the disk taken between two moments of [System#nanoTime]: what was acknowledged before, or
    /// anything asked for since then and before the copy was complete.
    synchronized List<State> possible(String name, long copyBegan, long copyEnded) {
        List<Entry> known = entries.getOrDefault(name, List.of());
        int first = 0;
        for (int i = 0; i < known.size(); i++) if (known.get(i).acknowledged <= copyBegan) first = i;
        List<State> states = new ArrayList<>();
        for (Entry entry : known.subList(Math.min(first, known.size()), known.size())) {
            if (entry.begun <= copyEnded) states.add(entry.state);
        }
        return known.isEmpty() ? List.of(State.ABSENT) : states;
    }

    /// Begins anew with what was found, when the engine goes on from there.
    synchronized void settle(Map<String, String> seen) {
        for (var each : entries.entrySet()) {
            State now = new State(seen.getOrDefault(each.getKey(), State.ABSENT.text));
            each.setValue(new ArrayList<>(List.of(new Entry(now, 0, 0))));
        }
    }
}
