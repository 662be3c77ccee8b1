;;; stepfare-eglot.el --- .stepfare.toml with Eglot -*- lexical-binding: t; -*-

;; Copyright (C) 2026 stepfare authors
;; SPDX-License-Identifier: MIT

;;; Commentary:

;; Eglot checks, completes and explains .stepfare.toml.  The spend comes over `stepfare-connection'.

;;; Code:

(require 'eglot)
(require 'stepfare-connection)

(cl-defmethod eglot-handle-notification (_server (_method (eql stepfare/spend)) &rest _)
  "The connection of the project tells the same.")

(defun stepfare-eglot-setup ()
  "Let Eglot start the server where .stepfare.toml is visited."
  (add-to-list 'eglot-server-programs (cons 'stepfare-dotfile-mode stepfare-server-command))
  (add-hook 'stepfare-dotfile-mode-hook #'eglot-ensure))

(provide 'stepfare-eglot)
;;; stepfare-eglot.el ends here
