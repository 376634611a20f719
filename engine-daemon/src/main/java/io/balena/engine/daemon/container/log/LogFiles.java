package io.balena.engine.daemon.container.log;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/// The files of one log: `x.log`, which is written to, `x.log.1` before it, `x.log.2` before that; older ones perhaps `.gz`.
///
/// The shim renames them at any time: the oldest is moved up first, so while it is at it one name is missing. Therefore
///
/// * all names there may be are tried, from the newest up, whatever is missing: a file that moves meanwhile is met later, perhaps
///   twice, and none is passed by;
/// * a look counts only if the newest file has kept its name to its end. Then no rotation was finished meanwhile, since each takes
///   the name away from the newest, and names are never given back.
final class LogFiles {
    /// Rotations that come faster than a look: what was seen last has to do.
    private static final int MOST_LOOKS = 1000;

    private final Path current;
    private final int most;

    /// @param most files there may be, the current one included
    LogFiles(Path current, int most) {
        this.current = current;
        this.most = most;
    }

    /// All files there were at one moment, oldest first.
    List<LogFile> openAll() throws IOException {
        for (int looks = 1; ; looks++) {
            List<LogFile> newestFirst = new ArrayList<>();
            boolean done = false;
            try {
                if (!look(newestFirst) && looks < MOST_LOOKS) continue;
                forgetRepeated(newestFirst);
                done = true;
                return newestFirst.reversed();
            } finally {
                if (!done) closeAll(newestFirst);
            }
        }
    }

    /// @return whether what was found was there at one moment
    private boolean look(List<LogFile> found) throws IOException {
        int newest = -1;
        for (int age = 0; age < most; age++) {
            LogFile file = open(age);
            if (file == null) continue;
            found.add(file);
            if (newest < 0) newest = age;
        }
        for (int age = 0; age < newest; age++) {
            if (exists(age)) return false;
        }
        return newest < 0 || found.getFirst().isNamed(name(newest, found.getFirst().compressed()));
    }

    /// Of a file that was moved while we looked, the place where it was met last is the one it has.
    private static void forgetRepeated(List<LogFile> found) throws IOException {
        for (int i = found.size() - 2; i >= 0; i--) {
            if (!found.get(i).identity().equals(found.get(i + 1).identity())) continue;
            found.remove(i).close();
        }
    }

    /// Whether `file` may still be written to. Once it is not, its content is final.
    boolean isCurrent(LogFile file) throws IOException {
        return file.isNamed(current);
    }

    /// The file that follows `file`, which is no longer written to: null while there is none yet. When `file` itself has been
    /// rotated away, the oldest that is newer.
    LogFile after(LogFile file) throws IOException {
        List<LogFile> all = openAll();
        LogFile next = null;
        try {
            next = after(file, all);
            return next;
        } finally {
            for (LogFile each : all) if (each != next) each.close();
        }
    }

    private LogFile after(LogFile file, List<LogFile> all) throws IOException {
        if (file == null) return all.isEmpty() ? null : all.getFirst();
        LogFile.Identity known = file.identity();
        for (int i = all.size() - 1; i >= 0; i--) {
            if (all.get(i).identity().equals(known)) return i + 1 < all.size() ? all.get(i + 1) : null;
        }
        for (LogFile each : all) {
            if (each.identity().modifiedNanos() >= known.modifiedNanos()) return each;
        }
        // The clock has been put back meanwhile.
        return !all.isEmpty() && isCurrent(all.getLast()) ? all.getLast() : null;
    }

    private LogFile open(int age) throws IOException {
        LogFile plain = LogFile.open(name(age, false), false);
        return plain != null || age == 0 ? plain : LogFile.open(name(age, true), true);
    }

    private boolean exists(int age) throws IOException {
        try (LogFile file = open(age)) {
            return file != null;
        }
    }

    private Path name(int age, boolean compressed) {
        return age == 0 ? current : current.resolveSibling(current.getFileName() + "." + age + (compressed ? ".gz" : ""));
    }

    static void closeAll(List<LogFile> files) throws IOException {
        for (LogFile file : files) file.close();
    }
}
