/** `-m comment`: libxt_comment.c. */
import type { XtMatch } from '../../../kernel/xtables.ts'
import { badParameter } from '../error.ts'
import { quote } from '../number.ts'
import type { Extension } from './extension.ts'

type Comment = Extract<XtMatch, { match: 'comment' }>

/** XT_MAX_COMMENT_LEN, the NUL included. */
const MAX_COMMENT = 256

export const comment: Extension<Comment> = {
  options: [{ name: 'comment', takes: 1 }],
  parse(given) {
    const text = given.require('comment')
    if (text.length > MAX_COMMENT - 1) {
      throw badParameter(`Argument must have a maximum length of ${MAX_COMMENT - 1} characters\n`)
    }
    return { match: 'comment', comment: text }
  },
  save: ({ comment }) => ` --comment ${quote(comment)}`,
  list: ({ comment }) => ` /* ${comment} */`,
}
