package io.balena.engine.distribution;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.balena.engine.graphdriver.Digest;
import org.junit.jupiter.api.Test;

class LoginMarkTest {
    private static final Digest BLOB = Digest.parse("sha256:5e20f46ec3ac105b0de1652abbf3ee53323fe5a8b12f613d5727b9749b8dabcf");
    private static final String REPOSITORY = "127.0.0.1:15777/app";

    @Test
    void theMarkOfNobodyIsTheOneThatDockerLeaves() {
        LoginMark nobody = LoginMark.of(new Credentials.Anonymous());
        assertEquals("84276690b7db62094c6d23e153113332c0d5398b1e5cad8468d3fcd4cbad4e27", nobody.mark(BLOB, REPOSITORY).hmac());
    }

    @Test
    void aLoginKnowsItsOwnMarkAndNoOther() {
        LoginMark user = LoginMark.of(new Credentials.Password("user", "<secret & more>"));
        LoginMark other = LoginMark.of(new Credentials.Password("user", "guess"));
        assertTrue(user.made(user.mark(BLOB, REPOSITORY)));
        assertFalse(other.made(user.mark(BLOB, REPOSITORY)));
        assertFalse(user.made(new KnownBlob(BLOB, REPOSITORY + "/other", user.mark(BLOB, REPOSITORY).hmac())));
    }

    @Test
    void whatWasPulledBearsNoMark() {
        assertFalse(LoginMark.of(new Credentials.Anonymous()).made(new KnownBlob(BLOB, REPOSITORY, "")));
    }
}
