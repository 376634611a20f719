package io.balena.engine.daemon.container;

import java.nio.file.Path;

/// A path as a client names it: absolute or from the root, where a trailing `/` or `/.` means the folder that a link leads to.
///
/// @param given as the client wrote it
/// @param text absolute and clean, but for its end
record PathInContainer(String given, String text) {
    static PathInContainer of(String given) {
        String clean = Path.of("/", given).normalize().toString();
        String end = !given.equals(".") && !given.matches(".*/\\./*") ? "" : clean.endsWith("/") ? "." : "/.";
        boolean slash = given.endsWith("/") && !(clean + end).endsWith("/");
        return new PathInContainer(given, clean + end + (slash ? "/" : ""));
    }

    /// The folder that the last name is in; the whole path when it means a folder.
    String folder() {
        return text.substring(0, text.lastIndexOf('/') + 1);
    }

    /// In that folder; `.` for the folder itself.
    String name() {
        String last = text.substring(text.lastIndexOf('/') + 1);
        return last.isEmpty() ? "." : last;
    }

    /// What it is called in answers and archives: the last name given, which may be `.`; `/` for the root.
    String called() {
        int end = text.length();
        while (end > 1 && text.charAt(end - 1) == '/') end--;
        String shortened = text.substring(0, end);
        return shortened.equals("/") ? "/" : shortened.substring(shortened.lastIndexOf('/') + 1);
    }
}
