#include "src/base/collation.h"

#include <cstring>

namespace hearth {

Collation::Collation(const std::string& locale)
    : locale_(newlocale(LC_COLLATE_MASK, locale.c_str(), nullptr)) {}

Collation::~Collation() {
  if (locale_ != nullptr) freelocale(locale_);
}

bool Collation::exists(const std::string& locale) { return Collation(locale).locale_ != nullptr; }

int Collation::compare(const std::string& a, const std::string& b) const {
  return locale_ != nullptr ? strcoll_l(a.c_str(), b.c_str(), locale_)
                            : std::strcmp(a.c_str(), b.c_str());
}

}  // namespace hearth
