package io.balena.engine.network;

import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.balena.engine.linux.NetworkNamespace;
import java.lang.reflect.Method;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.extension.ExtensionContext;
import org.junit.jupiter.api.extension.InvocationInterceptor;
import org.junit.jupiter.api.extension.ReflectiveInvocationContext;

/// Runs each test on a thread with a network namespace of its own: what it does to links and firewall, the machine under the
/// test never sees. Threads and processes that a test starts are in its namespace too.
final class OwnMachine implements InvocationInterceptor {
    @Override
    public void interceptTestMethod(Invocation<Void> test, ReflectiveInvocationContext<Method> method, ExtensionContext context)
            throws Throwable {
        assumeTrue((int) Files.getAttribute(Path.of("/proc/self"), "unix:uid") == 0, "needs root");
        for (String tool : new String[] {"ip", "iptables-save", "nsenter", "unshare"}) {
            assumeTrue(isInstalled(tool), "needs " + tool);
        }
        var failure = new Throwable[1];
        NetworkNamespace.callInNew(() -> {
            try {
                Shell.run("ip", "link", "set", "lo", "up");
                // A new namespace takes its first settings from the machine under the test.
                Files.writeString(Path.of("/proc/sys/net/ipv4/ip_forward"), "0");
                test.proceed();
            } catch (Throwable e) {
                failure[0] = e;
            }
            return null;
        });
        if (failure[0] != null) throw failure[0];
    }

    private static boolean isInstalled(String tool) {
        for (String directory : (System.getenv("PATH") + ":/usr/sbin:/sbin").split(":")) {
            if (Files.isExecutable(Path.of(directory, tool))) return true;
        }
        return false;
    }
}
