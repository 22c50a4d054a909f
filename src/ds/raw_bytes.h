// Bytes that the packed containers of this folder own as one malloc'ed block.
#pragma once

#include <cstddef>
#include <cstdlib>

#include "src/base/check.h"

namespace hearth::ds {

[[nodiscard]] inline char* allocate(std::size_t size) {
  auto* p = static_cast<char*>(std::malloc(size));
  HEARTH_CHECK(p != nullptr);
  return p;
}

[[nodiscard]] inline unsigned char byte_at(const char* p) { return static_cast<unsigned char>(*p); }

}  // namespace hearth::ds
