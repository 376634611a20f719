package io.balena.engine.cli;

import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/// Deltas between images.
@Command(name = Main.PROGRAM)
final class DeltaCommands {
    /// It has no name of its own besides `image`.
    static final String DELTA = "image delta";

    private final Session session;

    DeltaCommands(Session session) {
        this.session = session;
    }

    @Command(name = DELTA, description = "Create an image that turns SRC_IMAGE into DEST_IMAGE where it is pulled or loaded")
    int delta(@Option(names = {"-t", "--tag"}, description = "Name and optionally a tag in the 'name:tag' format") String tag,
              @Option(names = "--disable-content-trust", hidden = true) boolean disableContentTrust,
              @Parameters(index = "0", paramLabel = "SRC_IMAGE") String source,
              @Parameters(index = "1", paramLabel = "DEST_IMAGE") String target) {
        var request = Target.of("images", "delta").with("src", source).with("dest", target);
        if (tag != null) request.with("t", tag);
        var display = new ProgressDisplay(session.console().out(), Terminal.is(Terminal.STDOUT));
        session.engine().stream("POST", request, java.util.Map.of(), display::show);
        return 0;
    }
}
