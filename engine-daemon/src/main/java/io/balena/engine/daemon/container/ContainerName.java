package io.balena.engine.daemon.container;

import io.balena.engine.daemon.EngineException.InvalidRequest;
import java.util.concurrent.ThreadLocalRandom;
import java.util.regex.Pattern;

/// Names of containers.
final class ContainerName {
    private static final Pattern VALID = Pattern.compile("[a-zA-Z0-9][a-zA-Z0-9_.-]+");
    private static final String[] FIRST = {"amber", "brisk", "calm", "clear", "cosy", "deft", "early", "even", "fair", "fleet", "fond", "fresh",
        "gentle", "glad", "golden", "grand", "green", "happy", "hardy", "keen", "kind", "light", "lively", "lucid", "merry", "mild", "neat",
        "noble", "proud", "quick", "quiet", "ready", "rosy", "sharp", "silver", "snug", "spry", "steady", "still", "stout", "sunny", "swift",
        "tidy", "true", "vivid", "warm", "wise", "witty"};
    private static final String[] SECOND = {"alder", "ant", "badger", "beaver", "beech", "birch", "brook", "cedar", "clover", "crane", "creek",
        "dove", "elm", "falcon", "fern", "finch", "fox", "grove", "hare", "harbour", "hawk", "hazel", "heron", "hill", "ivy", "jay", "lark",
        "linden", "lynx", "maple", "marten", "meadow", "moss", "oak", "otter", "owl", "pine", "raven", "reed", "river", "robin", "rowan",
        "sparrow", "spruce", "stoat", "swan", "thrush", "willow", "wren", "yew"};

    private ContainerName() {}

    /// @param given perhaps with a slash before it, as `docker ps` once showed names
    /// @return without it
    /// @throws InvalidRequest in Docker's words
    static String require(String given) {
        String name = given.startsWith("/") ? given.substring(1) : given;
        if (!VALID.matcher(name).matches()) {
            throw new InvalidRequest("Invalid container name (" + given + "), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed");
        }
        return name;
    }

    /// For who does not name theirs. May be taken already.
    static String random() {
        var random = ThreadLocalRandom.current();
        return FIRST[random.nextInt(FIRST.length)] + "_" + SECOND[random.nextInt(SECOND.length)];
    }
}
