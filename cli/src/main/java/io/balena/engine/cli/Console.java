package io.balena.engine.cli;

import java.io.FileDescriptor;
import java.io.FileInputStream;
import java.io.FileOutputStream;
import java.io.InputStream;
import java.io.PrintStream;

import static java.nio.charset.StandardCharsets.UTF_8;

/// What a command reads and where it prints. Tests give their own.
record Console(InputStream in, PrintStream out, PrintStream err) {

    static Console ofProcess() {
        return new Console(new FileInputStream(FileDescriptor.in), printer(FileDescriptor.out), printer(FileDescriptor.err));
    }

    private static PrintStream printer(FileDescriptor descriptor) {
        return new PrintStream(new java.io.BufferedOutputStream(new FileOutputStream(descriptor), 8192), false, UTF_8);
    }
}
