#include "src/metrics/info_text.h"

#include <charconv>
#include <cstdio>

#include "src/base/format_number.h"

namespace hearth {

void InfoText::append(const FigureValue& value) {
  char text[400];  // the largest double has 309 digits before its point
  switch (value.form()) {
    case FigureValue::Form::kNone: return;
    case FigureValue::Form::kInteger:
      text_.append(text, std::to_chars(text, text + sizeof text, value.integer()).ptr);
      return;
    case FigureValue::Form::kDecimal:
    case FigureValue::Form::kPercent:
      std::snprintf(text, sizeof text, "%.*f", value.digits(), value.decimal());
      text_ += text;
      if (value.form() == FigureValue::Form::kPercent) text_ += '%';
      return;
    case FigureValue::Form::kText: text_ += value.text(); return;
  }
}

void InfoText::begin_section(std::string_view title) {
  if (!text_.empty()) text_ += "\r\n";
  text_ += "# ";
  text_ += title;
  text_ += "\r\n";
}

void InfoText::add(const FigureInfo& info, const FigureValue& value) {
  if (value.form() == FigureValue::Form::kNone) return;
  text_ += info.name;
  text_ += ':';
  append(value);
  text_ += "\r\n";
  if (!info.is_memory) return;
  text_ += info.name;
  text_ += "_human:";
  text_ += human_bytes(static_cast<std::uint64_t>(value.integer()));
  text_ += "\r\n";
}

void InfoText::begin_member(std::string_view label) {
  text_ += family_;
  text_ += label;
  text_ += ':';
  member_has_parts_ = false;
}

void InfoText::add_part(std::string_view name, const FigureValue& value) {
  if (member_has_parts_) text_ += ',';
  member_has_parts_ = true;
  text_ += name;
  text_ += '=';
  append(value);
}

}  // namespace hearth
