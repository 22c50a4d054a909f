#include "src/proto/reply_writer.h"

#include <cmath>
#include <string>

namespace hearth {

void ReplyWriter::line(char kind, std::string_view text) {
  char* p = out_->reserve(text.size() + 3);
  *p = kind;
  std::memcpy(p + 1, text.data(), text.size());
  p[text.size() + 1] = '\r';
  p[text.size() + 2] = '\n';
  out_->commit(text.size() + 3);
}

void ReplyWriter::error(std::string_view text) {
  if (text.find_first_of("\r\n") == std::string_view::npos) return line('-', text);
  std::string flat(text);
  for (char& c : flat) {
    if (c == '\r' || c == '\n') c = ' ';
  }
  line('-', flat);
}

void ReplyWriter::real(double value) {
  char text[kDoubleTextMax];
  const std::string_view digits{text, format_reply_double(value, text)};
  if (resp_ >= 3)
    line(',', digits);
  else
    bulk(digits);
}

void ReplyWriter::big_number(std::string_view digits) {
  if (resp_ >= 3)
    line('(', digits);
  else
    bulk(digits);
}

void ReplyWriter::verbatim(std::string_view format, std::string_view text) {
  if (resp_ < 3) return bulk(text);
  prefixed('=', static_cast<std::int64_t>(text.size() + 4));
  raw(format);
  raw(":");
  raw(text);
  raw("\r\n");
}

}  // namespace hearth
