// URLs of databases.
//
//   sqlite:///absolute/path   sqlite:relative/path   ...?immutable=1
//   postgresql://user@host:5432/database?sslmode=verify-full   postgres://...   (as libpq reads it)
//   mysql://user@host:3306/database?ssl-mode=REQUIRED   mariadb://...   ?socket=/path
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "src/base/result.h"

namespace hearth::warm {

struct SourceUrl {
  std::string kind;  // "sqlite", "postgresql" or "mysql"
  std::string user;
  std::optional<std::string> password;
  std::string host;
  std::uint16_t port = 0;  // 0: not given
  std::string path;        // the file, or the database
  std::map<std::string, std::string> options;
};

// Errors: kInvalid, kUnsupported. No message shows a password.
Result<SourceUrl> parse_source_url(std::string_view text);

// A URL as it may be shown: with "***" in place of its password, also one among its options.
[[nodiscard]] std::string without_password(std::string_view url);

// Bytes other than letters, digits and "-._~/" as "%41".
[[nodiscard]] std::string percent_encoded(std::string_view text);
// The reverse; nothing for a '%' without two hex digits.
[[nodiscard]] std::optional<std::string> percent_decoded(std::string_view text);

}  // namespace hearth::warm
