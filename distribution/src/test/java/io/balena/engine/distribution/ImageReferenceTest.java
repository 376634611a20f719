package io.balena.engine.distribution;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class ImageReferenceTest {
    private static final String HEX = "0123456789abcdef".repeat(4);

    @ParameterizedTest(name = "{0}")
    @CsvSource({
        "busybox,                      docker.io/library/busybox,             busybox",
        "busybox:1.36,                 docker.io/library/busybox:1.36,        busybox:1.36",
        "library/busybox,              docker.io/library/busybox,             busybox",
        "docker.io/busybox,            docker.io/library/busybox,             busybox",
        "index.docker.io/a/b:c,        docker.io/a/b:c,                       a/b:c",
        "docker.io/library/a/b,        docker.io/library/a/b,                 library/a/b",
        "user/app,                     docker.io/user/app,                    user/app",
        "localhost/app,                localhost/app,                         localhost/app",
        "localhost:5000/app:1,         localhost:5000/app:1,                  localhost:5000/app:1",
        "127.0.0.1:5000/a/b/c,         127.0.0.1:5000/a/b/c,                  127.0.0.1:5000/a/b/c",
        "[::1]:5000/app,               [::1]:5000/app,                        [::1]:5000/app",
        "registry.example/app,         registry.example/app,                  registry.example/app",
        "Host/app,                     Host/app,                              Host/app",
        "a__b--c/d.e_f,                docker.io/a__b--c/d.e_f,               a__b--c/d.e_f",
        "app:TAG_1.x-y,                docker.io/library/app:TAG_1.x-y,       app:TAG_1.x-y",
        "sha256:abcd,                  docker.io/library/sha256:abcd,         sha256:abcd",
    })
    void namesAreCompletedAsDockerCompletesThem(String given, String whole, String familiar) {
        ImageReference reference = ImageReference.parse(given);
        assertEquals(whole, reference.toString());
        assertEquals(familiar, reference.familiar());
        assertEquals(reference, ImageReference.parse(reference.toString()));
    }

    @Test
    void aDigestIsReadWithAndWithoutATag() {
        ImageReference both = ImageReference.parse("app:1@sha256:" + HEX);
        assertEquals("app:1@sha256:" + HEX, both.familiar());
        assertEquals("app@sha256:" + HEX, both.decisive().familiar());
        assertEquals(both.digest(), ImageReference.parse("app@sha256:" + HEX).digest());
    }

    @Test
    void theDefaultTagIsAddedOnlyToABareName() {
        assertEquals("app:latest", ImageReference.parse("app").withDefaultTag().familiar());
        assertEquals("app:1", ImageReference.parse("app:1").withDefaultTag().familiar());
        assertEquals("app@sha256:" + HEX, ImageReference.parse("app@sha256:" + HEX).withDefaultTag().familiar());
    }

    @ParameterizedTest(name = "{0}")
    @CsvSource(delimiter = '|', value = {
        "''                     | invalid reference format",
        "'bad name'             | invalid reference format",
        "a:b:c                  | invalid reference format",
        "-a                     | invalid reference format",
        "a/                     | invalid reference format",
        "/a                     | invalid reference format",
        "a//b                   | invalid reference format",
        "a___b                  | invalid reference format",
        "a..b                   | invalid reference format",
        "../../etc/passwd       | invalid reference format",
        "x_y.z:1/app            | invalid reference format",
        "a@b                    | invalid reference format",
        "a:-tag                 | invalid reference format",
        "a@sha256:abcd          | invalid reference format",
        "Foo                    | invalid reference format: repository name must be lowercase",
        "127.0.0.1:1/Foo        | invalid reference format: repository name must be lowercase",
        "a@sha999:0123456789abcdef0123456789abcdef | unsupported digest algorithm",
        "a@sha256:0123456789abcdef0123456789abcdef | invalid checksum digest length",
    })
    void malformedNamesAreRefusedInDockersWords(String name, String message) {
        assertEquals(message, assertThrows(IllegalArgumentException.class, () -> ImageReference.parse(name)).getMessage());
    }

    @Test
    void whatLooksLikeAnIdIsNoName() {
        assertEquals(
                "invalid repository name (" + HEX + "), cannot specify 64-byte hexadecimal strings",
                assertThrows(IllegalArgumentException.class, () -> ImageReference.parse(HEX)).getMessage());
    }

    @Test
    void aPathHasAtMost255Characters() {
        ImageReference.parse("host:1/" + "a".repeat(255));
        assertEquals(
                "repository name must not be more than 255 characters",
                assertThrows(IllegalArgumentException.class, () -> ImageReference.parse("host:1/" + "a".repeat(256))).getMessage());
    }

    @Test
    void aTagHasAtMost128Characters() {
        ImageReference.parse("a:" + "t".repeat(128));
        assertThrows(IllegalArgumentException.class, () -> ImageReference.parse("a:" + "t".repeat(129)));
    }

    @Test
    void anEndlessNameCostsNoStack() {
        assertThrows(IllegalArgumentException.class, () -> ImageReference.parse("a.b/" + "a/".repeat(200_000) + "a"));
        assertThrows(IllegalArgumentException.class, () -> ImageReference.parse("a.".repeat(200_000) + "/x y"));
        assertThrows(IllegalArgumentException.class, () -> ImageReference.parse("a-".repeat(200_000) + "/x"));
    }
}
