// Collation: the order of texts in a locale, as people sort names.
#pragma once

#include <locale.h>  // locale_t

#include <string>

namespace hearth {

class Collation {
 public:
  // `locale` as for LC_COLLATE; empty: what the environment says. One that the system does not have
  // compares bytes.
  explicit Collation(const std::string& locale);
  ~Collation();
  Collation(const Collation&) = delete;
  Collation& operator=(const Collation&) = delete;

  [[nodiscard]] static bool exists(const std::string& locale);
  // <0, 0, >0. A text ends at a zero byte.
  [[nodiscard]] int compare(const std::string& a, const std::string& b) const;

 private:
  locale_t locale_{};
};

}  // namespace hearth
