package io.balena.engine.cli;

import com.fasterxml.jackson.databind.JsonNode;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Map;

/// Images: where they come from, what there is, and away with them.
@Command(name = Main.PROGRAM)
final class ImageCommands {
    private final Session session;

    ImageCommands(Session session) {
        this.session = session;
    }

    @Command(description = "Pull an image or a repository from a registry")
    int pull(@Option(names = {"-q", "--quiet"}, description = "Suppress verbose output") boolean quiet,
             @Option(names = {"-a", "--all-tags"}, description = "Download all tagged images in the repository") boolean allTags,
             @Option(names = "--platform", description = "Set platform if server is multi-platform capable") String platform,
             @Option(names = "--disable-content-trust", hidden = true) boolean disableContentTrust,
             @Parameters(paramLabel = "NAME[:TAG|@DIGEST]") String name) {
        var reference = ImageName.parse(name);
        var out = session.console().out();
        if (!allTags && reference.tag().equals("latest") && !name.endsWith(":latest") && !quiet) out.println("Using default tag: latest");
        pull(session, allTags ? new ImageName(reference.repository(), "") : reference, platform, quiet ? null : out, Terminal.is(Terminal.STDOUT));
        out.println(reference.canonical());
        return 0;
    }

    /// @param progress where to show how it goes; `null` for nowhere
    static void pull(Session session, ImageName image, String platform, java.io.PrintStream progress, boolean terminal) {
        var target = Target.of("images", "create").with("fromImage", image.repository()).with("tag", image.tag());
        if (platform != null) target.with("platform", platform);
        var display = new ProgressDisplay(progress == null ? new java.io.PrintStream(java.io.OutputStream.nullOutputStream()) : progress,
                progress != null && terminal);
        session.engine().stream("POST", target, RegistryCredentials.headersFor(image), display::show);
    }

    @Command(name = "import", description = "Import the contents from a tarball to create a filesystem image")
    int importImage(@Option(names = {"-m", "--message"}, description = "Set commit message for imported image") String message,
                    @Option(names = {"-c", "--change"}, description = "Apply Dockerfile instruction to the created image") List<String> changes,
                    @Option(names = "--platform", description = "Set platform if server is multi-platform capable") String platform,
                    @Parameters(index = "0", paramLabel = "file|URL|-") String source,
                    @Parameters(index = "1", arity = "0..1", paramLabel = "REPOSITORY[:TAG]") String repository) throws IOException {
        boolean remote = source.startsWith("http://") || source.startsWith("https://");
        var target = Target.of("images", "create").with("fromSrc", remote ? source : "-");
        if (repository != null) target.with("repo", repository);
        if (message != null) target.with("message", message);
        if (platform != null) target.with("platform", platform);
        if (changes != null) changes.forEach(change -> target.with("changes", change));
        var display = new ProgressDisplay(session.console().out(), Terminal.is(Terminal.STDOUT));
        try (var content = remote ? InputStream.nullInputStream() : source.equals("-") ? session.console().in() : file(source)) {
            session.engine().stream(target, content, "application/x-tar", display::show);
        }
        return 0;
    }

    private static InputStream file(String name) throws IOException {
        try {
            return Files.newInputStream(Path.of(name));
        } catch (java.nio.file.NoSuchFileException _) {
            throw new CommandFailed(1, "open " + name + ": no such file or directory");
        }
    }

    @Command(description = "Create a tag TARGET_IMAGE that refers to SOURCE_IMAGE")
    int tag(@Parameters(index = "0", paramLabel = "SOURCE_IMAGE[:TAG]") String source,
            @Parameters(index = "1", paramLabel = "TARGET_IMAGE[:TAG]") String name) {
        var image = ImageName.parse(name);
        session.engine().post(Target.of("images", source, "tag").with("repo", image.repository()).with("tag", image.tag()));
        return 0;
    }

    @Command(description = "Remove one or more images")
    int rmi(@Option(names = {"-f", "--force"}, description = "Force removal of the image") boolean force,
            @Option(names = "--no-prune", description = "Do not delete untagged parents") boolean noPrune,
            @Parameters(arity = "1..*", paramLabel = "IMAGE") List<String> names) {
        return session.forEach(names, name -> {
            for (var removed : session.engine().delete(Target.of("images", name).flag("force", force).flag("noprune", noPrune))) {
                session.console().out().println(removed.has("Deleted")
                        ? "Deleted: " + removed.path("Deleted").asText() : "Untagged: " + removed.path("Untagged").asText());
            }
        });
    }

    @Command(description = "List images")
    int images(@Option(names = {"-a", "--all"}, description = "Show all images (default hides intermediate images)") boolean all,
               @Option(names = {"-q", "--quiet"}, description = "Only show image IDs") boolean quiet,
               @Option(names = "--no-trunc", description = "Don't truncate output") boolean whole,
               @Option(names = "--digests", description = "Show digests") boolean digests,
               @Option(names = {"-f", "--filter"}, description = "Filter output based on conditions provided") List<String> filters,
               @Parameters(arity = "0..1", paramLabel = "REPOSITORY[:TAG]") String repository) {
        var target = Target.of("images", "json").flag("all", all);
        var wanted = new java.util.ArrayList<String>(filters == null ? List.of() : filters);
        if (repository != null) wanted.add("reference=" + repository);
        if (!wanted.isEmpty()) target.with("filters", FilterArguments.json(wanted));
        var table = digests ? new Table("REPOSITORY", "TAG", "DIGEST", "IMAGE ID", "CREATED", "SIZE")
                : new Table("REPOSITORY", "TAG", "IMAGE ID", "CREATED", "SIZE");
        for (var image : session.engine().get(target)) {
            var id = whole ? image.path("Id").asText() : Ids.shortened(image.path("Id").asText());
            if (quiet) {
                session.console().out().println(id);
                continue;
            }
            for (var name : names(image)) {
                var created = Units.duration(Duration.between(Instant.ofEpochSecond(image.path("Created").asLong()), Instant.now())) + " ago";
                var size = Units.size(image.path("Size").asLong(), 3);
                var repo = name.repository();
                if (digests) table.row(repo, name.tag(), digestOf(image, repo), id, created, size);
                else table.row(repo, name.tag(), id, created, size);
            }
        }
        if (!quiet) session.console().out().print(table);
        return 0;
    }

    private static List<ImageName> names(JsonNode image) {
        var names = new java.util.ArrayList<ImageName>();
        for (var tag : image.path("RepoTags")) {
            if (!tag.asText().equals("<none>:<none>")) names.add(ImageName.parse(tag.asText()));
        }
        if (names.isEmpty()) {
            var digest = image.path("RepoDigests").path(0).asText("<none>@<none>");
            names.add(new ImageName(digest.substring(0, digest.indexOf('@')), "<none>"));
        }
        return names;
    }

    private static String digestOf(JsonNode image, String repository) {
        for (var digest : image.path("RepoDigests")) {
            if (digest.asText().startsWith(repository + "@")) return digest.asText().substring(repository.length() + 1);
        }
        return "<none>";
    }
}
