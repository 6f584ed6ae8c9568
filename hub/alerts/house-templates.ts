import { DEFAULT_TEMPLATES } from './default-templates.ts'
import { NotificationTemplates } from './template.ts'

/** The default templates with those of the configuration's files, which take their place by name. @throws TemplateError */
export function houseTemplates(
  texts: readonly { readonly name: string; readonly text: string }[],
  now: () => number,
): NotificationTemplates {
  return new NotificationTemplates([...DEFAULT_TEMPLATES, ...texts], now)
}
