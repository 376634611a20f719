package io.balena.engine.cli;

/// An image as a user names it, cut in two as the API takes it: the repository, and a tag or digest.
record ImageName(String repository, String tag) {

    static ImageName parse(String name) {
        int digest = name.indexOf('@');
        if (digest >= 0) {
            var repository = name.substring(0, digest);
            int colon = repository.lastIndexOf(':');
            return new ImageName(colon > repository.lastIndexOf('/') ? repository.substring(0, colon) : repository, name.substring(digest + 1));
        }
        int colon = name.lastIndexOf(':');
        return colon > name.lastIndexOf('/') ? new ImageName(name.substring(0, colon), name.substring(colon + 1)) : new ImageName(name, "latest");
    }

    /// The registry's host, or `docker.io`.
    String registry() {
        int slash = repository.indexOf('/');
        var first = slash < 0 ? "" : repository.substring(0, slash);
        return first.contains(".") || first.contains(":") || first.equals("localhost") ? first : "docker.io";
    }

    @Override public String toString() {
        return repository + (tag.contains(":") ? "@" : ":") + tag;
    }

    /// With the registry that a short name leaves out.
    String canonical() {
        if (!registry().equals("docker.io") || repository.startsWith("docker.io/")) return toString();
        return "docker.io/" + (repository.contains("/") ? "" : "library/") + this;
    }
}
