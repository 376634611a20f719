package io.balena.engine.packaging;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.TreeSet;

/// A fact that is another in our containers than in dockerd's.
///
/// @param ours null where there is no such fact
/// @param theirs null where there is no such fact
record Difference(String fact, String ours, String theirs) implements Comparable<Difference> {
    /// The differences of many views, each with the views it was seen in.
    static final class Table {
        private final Map<Difference, List<String>> seenIn = new TreeMap<>();

        void compare(String view, InsideView ours, InsideView theirs) {
            var names = new TreeSet<>(ours.facts().keySet());
            names.addAll(theirs.facts().keySet());
            for (String name : names) {
                String our = ours.facts().get(name);
                String their = theirs.facts().get(name);
                if (java.util.Objects.equals(our, their)) continue;
                synchronized (seenIn) {
                    seenIn.computeIfAbsent(new Difference(name, our, their), _ -> new ArrayList<>()).add(view);
                }
            }
        }

        /// Those for which no explanation is given.
        List<Difference> unexplained() {
            return seenIn.keySet().stream().filter(difference -> Explanation.of(difference) == null).toList();
        }

        @Override public String toString() {
            var text = new StringBuilder("What a process sees inside, ours beside that of dockerd and runc\n\n");
            seenIn.forEach((difference, views) -> {
                var explanation = Explanation.of(difference);
                text.append(explanation == null ? "UNEXPLAINED " : "explained   ").append(difference.fact)
                        .append("\n    ours    ").append(difference.ours).append("\n    theirs  ").append(difference.theirs)
                        .append("\n    seen in ").append(views.size()).append(": ").append(String.join(", ", views.subList(0, Math.min(6, views.size()))))
                        .append("\n    because ").append(explanation == null ? "?" : explanation.reason()).append("\n\n");
            });
            return text.append(seenIn.size()).append(" differences, ").append(unexplained().size()).append(" unexplained\n").toString();
        }
    }

    @Override public int compareTo(Difference other) {
        return toString().compareTo(other.toString());
    }
}
