package io.balena.engine.cli;

/// `-p [[ADDRESS:]HOSTPORT:]PORT[/PROTOCOL]`.
///
/// @param containerPort with its protocol, `80/tcp`
/// @param hostPort empty for one the engine chooses
record PortOption(String hostAddress, String hostPort, String containerPort) {

    static PortOption parse(String text) {
        int slash = text.lastIndexOf('/');
        var protocol = slash < 0 ? "tcp" : text.substring(slash + 1);
        var rest = slash < 0 ? text : text.substring(0, slash);
        int last = rest.lastIndexOf(':');
        var port = rest.substring(last + 1);
        var before = last < 0 ? "" : rest.substring(0, last);
        int colon = before.lastIndexOf(':');
        var address = colon < 0 ? "" : before.substring(0, colon).replace("[", "").replace("]", "");
        var hostPort = before.substring(colon + 1);
        if (!port.matches("\\d+") || !hostPort.matches("\\d*")) {
            throw new CommandFailed(125, "invalid containerPort: " + text);
        }
        return new PortOption(address, hostPort, port + "/" + protocol);
    }
}
