// CONFIG REWRITE and conf/hearth.conf: values -> text of a configuration file.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "src/config/registry.h"

namespace hearth::config {

enum class RewriteScope : unsigned char { kChanged, kEverything };

struct RewriteOptions {
  // kEverything writes parameters at their default too.
  RewriteScope scope = RewriteScope::kChanged;
  // The `user` directives to write, each the words behind the name; the ACL knows the present ones.
  // Left alone as the file has them if not given.
  std::optional<std::vector<std::vector<std::string>>> users;
};

// The new text of a configuration file.
//   old_text  the file as it is; may be empty
//   returns   the same comments, blank lines, includes and order, each directive with its present
//             value at the place of its first line, further lines of the same parameter gone; what
//             differs from its default and had no line is appended behind a marker comment. Unknown
//             directives are kept. Reading the result gives the same values.
// Writing the file (temporary file, fsync, rename) is the caller's.
[[nodiscard]] std::string rewritten(const Registry& registry, std::string_view old_text,
                                    const RewriteOptions& options);

// conf/hearth.conf: every parameter that is not hidden, with its doc, commented out at its default.
[[nodiscard]] std::string annotated_defaults();

}  // namespace hearth::config
