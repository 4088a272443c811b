package linreg;

import java.nio.charset.StandardCharsets;

/** What the library says of a failure: one line. */
public final class LinregException extends RuntimeException {
  private static final long serialVersionUID = 1;

  LinregException(String line) {
    super(line);
  }

  /** Called by the library, with UTF-8. */
  private LinregException(byte[] line) {
    this(new String(line, StandardCharsets.UTF_8));
  }
}
